//! The config of a state dict in TransformerLens's layout: from names and shapes what they determine, from hints what they do
//! not, and else what is usual, which is said.

use super::{
    container::Tensor,
    rotary_tables,
    settings::{Hints, PositionalEmbedding, Settings, Source, shown},
    state_dict::StateDict,
};
use crate::{
    Error, Result,
    model::{ActFn, AttentionDir, Biases, Config, Mlp, Normalization, Positions, Rotary},
};
use serde::Serialize;

/// Where a part of an inferred config came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Note {
    /// The config's key.
    pub what: &'static str,
    /// Its value.
    pub value: String,
    /// How it is known.
    pub source: Source,
}

impl Hints {
    /// Whether nothing that was said contradicts the config that a file states.
    pub(super) fn check_against(&self, config: &Config) -> Result<()> {
        let mut notes = Vec::new();
        let mut parts = Parts { hints: self, notes: &mut notes };
        let Config { mlp, positional_embedding_type: positions, .. } = config;
        for (what, part, file_says) in sizes(config) {
            parts.known(what, part, file_says)?;
        }
        if let Some(mlp) = mlp {
            parts.known("act_fn", |s| s.act_fn, mlp.act_fn)?;
            parts.known("d_mlp", |s| s.d_mlp, mlp.d_mlp)?;
            parts.known("gated_mlp", |s| s.gated_mlp, mlp.gated)?;
        } else if let Some((act_fn, _)) = self.get("act_fn", |s| s.act_fn)? {
            return Err(Error::invalid("act_fn", "none: the model has no MLP", shown(&act_fn)));
        }
        parts.known("attn_only", |s| s.attn_only, mlp.is_none())?;
        parts.known("parallel_attn_mlp", |s| s.parallel_attn_mlp, config.parallel_attn_mlp)?;
        parts.known("normalization_type", |s| s.normalization_type, config.normalization_type)?;
        parts.known("final_rms", |s| s.final_rms, final_rms(config))?;
        parts.known("eps", |s| s.eps, config.eps)?;
        parts.known("attention_dir", |s| s.attention_dir, config.attention_dir)?;
        parts.known("attn_windows", |s| s.attn_windows.clone(), config.attn_windows.clone())?;
        let scale = config.attn_scale.unwrap_or_else(|| (config.d_head as f64).sqrt());
        parts.known("attn_scale", |s| s.attn_scale.map(|said| near(said, scale)), scale)?;
        let inverse = config.scale_attn_by_inverse_layer_idx;
        parts.known("scale_attn_by_inverse_layer_idx", |s| s.scale_attn_by_inverse_layer_idx, inverse)?;
        let [scores, logits] =
            [config.attn_scores_soft_cap, config.output_logits_soft_cap].map(|cap| cap.unwrap_or(0.0));
        parts.known("attn_scores_soft_cap", |s| s.attn_scores_soft_cap, scores)?;
        parts.known("output_logits_soft_cap", |s| s.output_logits_soft_cap, logits)?;
        parts.known("pad_token", |s| s.pad_token.map(Some), config.pad_token)?;
        parts.known("positional_embedding_type", |s| s.positional_embedding_type, (*positions).into())?;
        if let Some(rotary) = positions.rotary() {
            parts.known("rotary_dim", |s| s.rotary_dim, rotary.rotary_dim)?;
            parts.known("rotary_base", |s| s.rotary_base, rotary.rotary_base)?;
            parts.known("rotary_adjacent_pairs", |s| s.rotary_adjacent_pairs, rotary.rotary_adjacent_pairs)?;
        }
        parts.known("tie_word_embeddings", |s| s.tie_word_embeddings, config.tie_word_embeddings).map(drop)
    }
}

type Size = fn(&Settings) -> Option<usize>;

/// The sizes of a config that settings can name.
fn sizes(config: &Config) -> [(&'static str, Size, usize); 8] {
    [
        ("n_layers", |s| s.n_layers, config.n_layers),
        ("n_heads", |s| s.n_heads, config.n_heads),
        ("n_key_value_heads", |s| s.n_key_value_heads, config.key_value_heads()),
        ("d_model", |s| s.d_model, config.d_model),
        ("d_head", |s| s.d_head, config.d_head),
        ("n_ctx", |s| s.n_ctx, config.n_ctx),
        ("d_vocab", |s| s.d_vocab, config.d_vocab),
        ("d_vocab_out", |s| s.d_vocab_out, config.d_vocab_out),
    ]
}

fn final_rms(config: &Config) -> bool {
    config.final_normalization_type.is_some_and(|norm| matches!(norm, Normalization::RMS | Normalization::RMSPre))
}

/// `exact` where a number that was said is that but for the digits that were left out.
fn near(said: f64, exact: f64) -> f64 {
    if (said - exact).abs() <= 1e-6 * exact.abs() { exact } else { said }
}

/// The parts of a config, one after another, and how each is known.
struct Parts<'a> {
    hints: &'a Hints,
    notes: &'a mut Vec<Note>,
}

impl Parts<'_> {
    fn note<V: Serialize>(&mut self, what: &'static str, value: V, source: Source) -> V {
        self.notes.push(Note { what, value: shown(&value), source });
        value
    }

    /// A part that the file determines, whatever else is said of it.
    fn known<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        file_says: V,
    ) -> Result<V> {
        match self.hints.get(what, part)? {
            Some((said, _)) if said != file_says => {
                Err(Error::invalid(what, format!("the file's {}", shown(&file_says)), shown(&said)))
            }
            _ => Ok(self.note(what, file_says, Source::File)),
        }
    }

    /// A part of which the file says nothing: what was said, or what is usual.
    fn usual<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        usual: V,
    ) -> Result<V> {
        let (value, source) = self.hints.get(what, part)?.unwrap_or((usual, Source::Assumed));
        Ok(self.note(what, value, source))
    }

    /// A part of which the file says nothing, and nothing is usual.
    fn asked<V: Clone + PartialEq + Serialize>(
        &mut self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
        question: Error,
    ) -> Result<V> {
        let (value, source) = self.hints.get(what, part)?.ok_or(question)?;
        Ok(self.note(what, value, source))
    }
}

/// The config of a state dict.
pub(super) fn config(state_dict: &StateDict, hints: &Hints) -> Result<(Config, Vec<Note>)> {
    const W_E: &str = "embed.W_E";
    if let Some(name) = state_dict.names().find(|name| name.ends_with(".embed.W_E")) {
        let expected = "a tensor of that name (save the state dict alone: torch.save(model.state_dict(), file))";
        return Err(Error::invalid(W_E, expected, name));
    }
    let mut notes = Vec::new();
    let mut parts = Parts { hints, notes: &mut notes };
    let [d_vocab, d_model] = state_dict.shape(W_E)?;
    let base = Config { d_vocab, d_model, n_layers: n_layers(state_dict), ..Config::default() };
    let heads = heads(state_dict, &mut parts)?;
    let tied = tied(state_dict, &mut parts)?;
    let [_, d_vocab_out] = if tied { [d_model, d_vocab] } else { state_dict.shape("unembed.W_U")? };
    let mut config = Config { d_vocab_out, tie_word_embeddings: tied, biases: biases(state_dict), ..base };
    config =
        Config { n_heads: heads.queries, n_key_value_heads: heads.keys_and_values, d_head: heads.d_head, ..config };
    positions(state_dict, &mut parts, &mut config)?;
    for (what, part, file_says) in sizes(&config) {
        if what != "n_ctx" {
            parts.known(what, part, file_says)?;
        }
    }
    mlp(state_dict, &mut parts, &mut config)?;
    normalization(state_dict, &mut parts, &mut config)?;
    attention(state_dict, &mut parts, &mut config)?;
    let caps = [
        parts.usual("attn_scores_soft_cap", |s| s.attn_scores_soft_cap, 0.0)?,
        parts.usual("output_logits_soft_cap", |s| s.output_logits_soft_cap, 0.0)?,
    ];
    let [scores, logits] = caps.map(|cap| (cap > 0.0).then_some(cap));
    config = Config { attn_scores_soft_cap: scores, output_logits_soft_cap: logits, ..config };
    config.validate()?;
    Ok((config, notes))
}

/// One more than the largest N of `blocks.N.…`; filling in the weights finds blocks that are missing.
fn n_layers(state_dict: &StateDict) -> usize {
    let layer = |name: &str| name.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
    state_dict.names().filter_map(layer).max().map_or(0, |last| last.saturating_add(1))
}

/// How many heads there are, and how wide.
struct Heads {
    queries: usize,
    keys_and_values: Option<usize>,
    d_head: usize,
}

fn heads(state_dict: &StateDict, parts: &mut Parts) -> Result<Heads> {
    const W_Q: &str = "blocks.0.attn.W_Q";
    if state_dict.get(W_Q).is_none() && !state_dict.names().any(|name| name.contains(".attn.W_")) {
        let n_heads = usize::from(n_layers(state_dict) == 0);
        let d_head = parts.usual("d_head", |s| s.d_head, 1)?;
        return Ok(Heads { queries: n_heads, keys_and_values: None, d_head });
    }
    let [queries, _, d_head] = state_dict.shape(W_Q)?;
    let grouped = state_dict.get("blocks.0.attn._W_K").map(|_| state_dict.shape::<3>("blocks.0.attn._W_K"));
    let keys_and_values = grouped.transpose()?.map(|[heads, ..]| heads);
    Ok(Heads { queries, keys_and_values, d_head })
}

fn tied(state_dict: &StateDict, parts: &mut Parts) -> Result<bool> {
    const KEY: &str = "tie_word_embeddings";
    if state_dict.get("unembed.W_U").is_some() {
        // What other programs tie, they may store twice.
        return Ok(false);
    }
    match parts.hints.get(KEY, |s| s.tie_word_embeddings)? {
        Some((true, source)) => Ok(parts.note(KEY, true, source)),
        _ => Ok(false),
    }
}

/// The biases that there are: of attention all or none, of MLPs too. Filling in the weights finds those that are missing.
fn biases(state_dict: &StateDict) -> Biases {
    let any = |parts: &[&str]| state_dict.names().any(|name| parts.iter().any(|part| name.contains(part)));
    // Where there are no weights, there is nothing that could lack a bias.
    let attention = any(&[".attn.b_", ".attn._b_"]) || !any(&[".attn.W_"]);
    let mlp = any(&[".mlp.b_"]) || !any(&[".mlp.W_"]);
    let norm = any(&["ln1.b", "ln2.b", "ln_final.b"]) || !any(&["ln1.w", "ln2.w", "ln_final.w"]);
    Biases {
        b_QKV: attention,
        b_O: attention,
        b_in: mlp,
        b_out: mlp,
        norm: norm || rms_by_names(state_dict),
        b_U: any(&["unembed.b_U"]),
    }
}

/// Whether norms have weights and no biases: TransformerLens's layer norms have both.
fn rms_by_names(state_dict: &StateDict) -> bool {
    let any = |end: &str| state_dict.names().any(|name| name.ends_with(end));
    (any("ln1.w") || any("ln_final.w")) && !any("ln1.b") && !any("ln_final.b")
}

fn mlp(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    const W_IN: &str = "blocks.0.mlp.W_in";
    let has_mlp = state_dict.get(W_IN).is_some();
    parts.known("attn_only", |s| s.attn_only, !has_mlp)?;
    if !has_mlp {
        return match parts.hints.get("act_fn", |s| s.act_fn)? {
            Some((act_fn, _)) => Err(Error::invalid("act_fn", "none: the model has no MLP", shown(&act_fn))),
            None => Ok(()),
        };
    }
    let [_, d_mlp] = state_dict.shape(W_IN)?;
    parts.known("d_mlp", |s| s.d_mlp, d_mlp)?;
    let gated = parts.known("gated_mlp", |s| s.gated_mlp, state_dict.get("blocks.0.mlp.W_gate").is_some())?;
    let act_fn = if state_dict.get("blocks.0.mlp.ln.w").is_some() {
        parts.known("act_fn", |s| s.act_fn, ActFn::SoluLn)?
    } else {
        let choices = vec!["relu", "gelu", "gelu_new", "gelu_fast", "silu", "solu", "solu_ln"];
        let question = Error::NotDetermined { what: "the MLP's activation function", key: "act_fn", choices };
        parts.asked("act_fn", |s| s.act_fn, question)?
    };
    config.mlp = Some(Mlp { d_mlp, act_fn, gated });
    if config.n_heads > 0 {
        config.parallel_attn_mlp = parts.usual("parallel_attn_mlp", |s| s.parallel_attn_mlp, false)?;
    }
    Ok(())
}

fn normalization(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    const KEY: &str = "normalization_type";
    let weight = |name: &str| state_dict.get(name).is_some();
    let blocks = weight("blocks.0.ln1.w") || weight("blocks.0.ln2.w") || (config.n_layers == 0 && weight("ln_final.w"));
    config.normalization_type = if blocks {
        let kind = if rms_by_names(state_dict) { Normalization::RMS } else { Normalization::LN };
        parts.known(KEY, |s| s.normalization_type, kind)?
    } else {
        let choices = vec!["LNPre", "RMSPre", "none"];
        let question =
            Error::NotDetermined { what: "the normalization (there are no norm weights)", key: KEY, choices };
        let kind = parts.asked(KEY, |s| s.normalization_type, question)?;
        if kind.has_weight() {
            return Err(Error::invalid("blocks.0.ln1.w", "a tensor of that name, as the norm has a weight", "none"));
        }
        kind
    };
    let kind = config.normalization_type;
    config.final_normalization_type = match kind {
        Normalization::LN => {
            let rms = weight("ln_final.w") && !weight("ln_final.b") && config.biases.norm;
            parts.known("final_rms", |s| s.final_rms, rms)?.then_some(Normalization::RMS)
        }
        Normalization::LNPre => parts.usual("final_rms", |s| s.final_rms, false)?.then_some(Normalization::RMSPre),
        // Of other norms the last is the same, whatever is said of it.
        _ => None,
    };
    if kind != Normalization::None || config.final_normalization() != Normalization::None {
        config.eps = parts.usual("eps", |s| s.eps, Config::DEFAULT_EPS)?;
    }
    Ok(())
}

fn attention(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    if config.n_heads == 0 || config.n_layers == 0 {
        return Ok(());
    }
    config.attention_dir = direction(state_dict, parts)?;
    config.attn_windows = parts.usual("attn_windows", |s| s.attn_windows.clone(), Vec::new())?;
    let usual = (config.d_head as f64).sqrt();
    let scale = parts.usual("attn_scale", |s| s.attn_scale.map(|said| near(said, usual)), usual)?;
    config.attn_scale = (scale != usual).then_some(scale);
    let key = "scale_attn_by_inverse_layer_idx";
    config.scale_attn_by_inverse_layer_idx = parts.usual(key, |s| s.scale_attn_by_inverse_layer_idx, false)?;
    config.pad_token = parts.usual("pad_token", |s| s.pad_token.map(Some), None)?;
    config.masked_score = masked_score(state_dict)?;
    Ok(())
}

/// From the boolean `mask` buffers, `[query, key]`, true where attention is allowed. One that is true throughout says that
/// attention is bidirectional; a causal one says nothing, as TransformerLens saved it with every model.
fn direction(state_dict: &StateDict, parts: &mut Parts) -> Result<AttentionDir> {
    const KEY: &str = "attention_dir";
    let masks: Vec<&str> = state_dict.names().filter(|name| name.ends_with(".attn.mask")).collect();
    let mut bidirectional = None;
    for name in &masks {
        let found = is_true_throughout(state_dict, name)?;
        if bidirectional.is_some_and(|before| before != found) {
            return Err(Error::invalid(*name, "the mask of the other blocks", "another"));
        }
        bidirectional = Some(found);
    }
    match bidirectional {
        Some(true) => parts.known(KEY, |s| s.attention_dir, AttentionDir::Bidirectional),
        Some(false) => parts.usual(KEY, |s| s.attention_dir, AttentionDir::Causal),
        None => {
            let choices = vec!["causal", "bidirectional"];
            let what = "whether attention is causal (there is no mask)";
            parts.asked(KEY, |s| s.attention_dir, Error::NotDetermined { what, key: KEY, choices })
        }
    }
}

/// Whether a mask of a whole context allows everything; otherwise it is causal, or empty as newer files have it.
fn is_true_throughout(state_dict: &StateDict, name: &str) -> Result<bool> {
    let [queries, keys] = state_dict.shape(name)?;
    let mask = state_dict.get(name);
    let floats = || mask.and_then(Tensor::floats::<f32>).map(|mask| mask.iter().map(|x| *x != 0.0).collect());
    let integers = || mask.and_then(Tensor::integers).map(|mask| mask.iter().map(|x| *x != 0).collect());
    let Some(allowed) = mask.and_then(Tensor::bools).or_else(floats).or_else(integers) else {
        return Err(Error::invalid(name, "booleans", "others"));
    };
    if queries != keys {
        return Err(Error::invalid(name, "as many queries as keys", format!("{:?}", [queries, keys])));
    }
    if queries <= 1 || allowed.iter().enumerate().all(|(at, may)| *may == (at % keys <= at / keys)) {
        Ok(false)
    } else if allowed.iter().all(|may| *may) {
        Ok(true)
    } else {
        Err(Error::invalid(name, "a causal mask or one that is true throughout", "another"))
    }
}

/// The buffer `IGNORE`: what masked scores are set to; none for −∞.
fn masked_score(state_dict: &StateDict) -> Result<Option<f64>> {
    let name = "blocks.0.attn.IGNORE";
    let Some(tensor) = state_dict.get(name) else { return Ok(None) };
    match tensor.floats::<f64>().as_deref() {
        Some([score]) => Ok(Some(*score).filter(|score| score.is_finite())),
        _ => Err(Error::invalid(name, "one number", "others")),
    }
}

fn positions(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    const KEY: &str = "positional_embedding_type";
    const W_POS: &str = "pos_embed.W_pos";
    let rotary = rotary_tables::read(state_dict)?;
    if state_dict.get(W_POS).is_some() {
        let [n_ctx, _] = state_dict.shape(W_POS)?;
        config.n_ctx = parts.known("n_ctx", |s| s.n_ctx, n_ctx)?;
        let kind = parts.usual(KEY, |s| s.positional_embedding_type, PositionalEmbedding::Standard)?;
        config.positional_embedding_type = match kind {
            PositionalEmbedding::Standard => Positions::Standard,
            PositionalEmbedding::Shortformer => Positions::Shortformer,
            other => return Err(Error::invalid(KEY, "standard or shortformer, as there are W_pos", shown(&other))),
        };
        return Ok(());
    }
    let question = || Error::NotDetermined {
        what: "where positions enter (there is no pos_embed.W_pos)",
        key: KEY,
        choices: vec!["rotary", "none"],
    };
    let kind = match &rotary {
        Some(tables) if tables.rotary_dim == 0 => {
            parts.known(KEY, |s| s.positional_embedding_type, PositionalEmbedding::None)?
        }
        Some(_) => parts.known(KEY, |s| s.positional_embedding_type, PositionalEmbedding::Rotary)?,
        None => parts.asked(KEY, |s| s.positional_embedding_type, question())?,
    };
    config.positional_embedding_type = match kind {
        PositionalEmbedding::None => Positions::None,
        PositionalEmbedding::Rotary => Positions::Rotary(rotary_of(&rotary, parts, config.d_head)?),
        _ => return Err(Error::invalid(W_POS, "a tensor of that name", "none")),
    };
    let context = "how long a sequence may be (there is no pos_embed.W_pos)";
    let question = Error::NotDetermined { what: context, key: "n_ctx", choices: vec!["a number of tokens"] };
    config.n_ctx = match context_of_buffers(state_dict, &rotary) {
        Some(n_ctx) => parts.known("n_ctx", |s| s.n_ctx, n_ctx)?,
        None => parts.asked("n_ctx", |s| s.n_ctx, question)?,
    };
    Ok(())
}

/// The longest sequence, by the buffers that are as long.
fn context_of_buffers(state_dict: &StateDict, rotary: &Option<rotary_tables::Tables>) -> Option<usize> {
    let mask = state_dict.names().find(|name| name.ends_with(".attn.mask"));
    let mask = mask.and_then(|name| state_dict.shape::<2>(name).ok()).map(|[queries, _]| queries);
    mask.filter(|queries| *queries > 0).or(rotary.as_ref().map(|tables| tables.n_ctx))
}

/// How queries and keys are rotated, by the file's tables or by what is said.
fn rotary_of(tables: &Option<rotary_tables::Tables>, parts: &mut Parts, d_head: usize) -> Result<Rotary> {
    let dim = |s: &Settings| s.rotary_dim;
    let rotary_dim = match tables {
        Some(tables) => parts.known("rotary_dim", dim, tables.rotary_dim)?,
        None => parts.usual("rotary_dim", dim, d_head)?,
    };
    const USUAL_BASE: f64 = 10_000.0;
    let base = |s: &Settings| s.rotary_base;
    let rotary_base = match tables.as_ref().and_then(|tables| tables.rotary_base) {
        Some(found) => {
            let near_found = |s: &Settings| {
                s.rotary_base.map(|said| if (said - found).abs() <= 1e-3 * found { found } else { said })
            };
            parts.known("rotary_base", near_found, found)?
        }
        None => parts.usual("rotary_base", base, USUAL_BASE)?,
    };
    let pairs = |s: &Settings| s.rotary_adjacent_pairs;
    let rotary_adjacent_pairs = match tables.as_ref().and_then(|tables| tables.adjacent_pairs) {
        Some(found) => parts.known("rotary_adjacent_pairs", pairs, found)?,
        None => parts.usual("rotary_adjacent_pairs", pairs, false)?,
    };
    Ok(Rotary { rotary_dim, rotary_base, rotary_adjacent_pairs })
}
