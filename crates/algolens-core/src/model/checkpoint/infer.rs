//! The config of a state dict: from names and shapes what they determine, from hints what they do not.

use super::{container::Tensor, state_dict::StateDict};
use crate::{
    Error, Result,
    model::{ActFn, AttentionDir, Config, Mlp, Normalization, Positions},
};
use serde::Serialize;

/// What a user says of a model where its file does not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// The norm.
    pub normalization_type: Option<Normalization>,
    /// The MLP's activation function.
    pub act_fn: Option<ActFn>,
    /// Who attends to whom.
    pub attention_dir: Option<AttentionDir>,
    /// Where positions enter.
    pub positional_embedding_type: Option<Positions>,
    /// Added to the variance inside norms.
    pub eps: Option<f64>,
    /// Where in the file the state dict stands, where there are several: keys parted by dots, those of lists numbers.
    pub key: Option<String>,
    /// The names of tensors that are no weights, and are passed over; `*` stands for anything.
    pub ignore: Vec<String>,
}

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

/// How a part of a config is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// A tensor of the file determines it.
    File,
    /// The user said so.
    Flag,
    /// Nobody said: the usual value.
    Assumed,
}

impl Hints {
    /// Whether nothing that was said contradicts the config that a file states.
    pub(super) fn check_against(&self, config: &Config) -> Result<()> {
        agree("normalization_type", self.normalization_type, config.normalization_type)?;
        agree("attention_dir", self.attention_dir, config.attention_dir)?;
        agree("positional_embedding_type", self.positional_embedding_type, config.positional_embedding_type)?;
        agree("eps", self.eps, config.eps)?;
        match (self.act_fn, config.mlp) {
            (Some(_), None) => Err(no_mlp()),
            (said, Some(mlp)) => agree("act_fn", said, mlp.act_fn),
            (None, None) => Ok(()),
        }
    }
}

/// An error if a flag says something else than the file.
fn agree<V: PartialEq + Serialize>(what: &'static str, said: Option<V>, file_says: V) -> Result<()> {
    match said {
        Some(said) if said != file_says => {
            Err(Error::invalid(what, format!("the file's {}", name(&file_says)), name(&said)))
        }
        _ => Ok(()),
    }
}

fn no_mlp() -> Error {
    Error::invalid("act_fn", "none: the model has no MLP", "one")
}

/// The config of a state dict.
pub(super) fn config(state_dict: &StateDict, hints: &Hints) -> Result<(Config, Vec<Note>)> {
    const W_E: &str = "embed.W_E";
    let mut notes = Vec::new();
    if let Some(name) = state_dict.names().find(|name| name.ends_with(".embed.W_E")) {
        let expected = "a tensor of that name (save the state dict alone: torch.save(model.state_dict(), file))";
        return Err(Error::invalid(W_E, expected, name));
    }
    let [d_vocab, d_model] = state_dict.shape(W_E)?;
    let [n_ctx, _] = state_dict.shape("pos_embed.W_pos")?;
    let [_, d_vocab_out] = state_dict.shape("unembed.W_U")?;
    let [n_heads, _, d_head] = state_dict.shape("blocks.0.attn.W_Q")?;
    let config = Config {
        n_layers: n_layers(state_dict),
        n_heads,
        d_model,
        d_head,
        mlp: mlp(state_dict, hints, &mut notes)?,
        n_ctx,
        d_vocab,
        d_vocab_out,
        normalization_type: normalization(state_dict, hints, &mut notes)?,
        attention_dir: attention(state_dict, hints, &mut notes)?,
        positional_embedding_type: assumed(
            "positional_embedding_type",
            hints.positional_embedding_type,
            Positions::Standard,
            &mut notes,
        ),
        eps: assumed("eps", hints.eps, Config::DEFAULT_EPS, &mut notes),
    };
    config.validate()?;
    Ok((config, notes))
}

fn note<V: Serialize>(notes: &mut Vec<Note>, what: &'static str, value: V, source: Source) -> V {
    notes.push(Note { what, value: name(&value), source });
    value
}

fn assumed<V: Serialize>(what: &'static str, said: Option<V>, usual: V, notes: &mut Vec<Note>) -> V {
    match said {
        Some(value) => note(notes, what, value, Source::Flag),
        None => note(notes, what, usual, Source::Assumed),
    }
}

/// What JSON calls a value.
fn name<V: Serialize>(value: &V) -> String {
    serde_json::to_value(value)
        .map_or_else(|_| String::new(), |json| json.as_str().map_or(json.to_string(), str::to_owned))
}

/// One more than the largest N of `blocks.N.…`; `fill` finds blocks that are missing.
fn n_layers(state_dict: &StateDict) -> usize {
    let layer = |name: &str| name.strip_prefix("blocks.")?.split('.').next()?.parse::<usize>().ok();
    state_dict.names().filter_map(layer).max().map_or(0, |last| last.saturating_add(1))
}

fn mlp(state_dict: &StateDict, hints: &Hints, notes: &mut Vec<Note>) -> Result<Option<Mlp>> {
    const W_IN: &str = "blocks.0.mlp.W_in";
    if state_dict.get(W_IN).is_none() {
        return if hints.act_fn.is_some() { Err(no_mlp()) } else { Ok(None) };
    }
    let [_, d_mlp] = state_dict.shape(W_IN)?;
    let act_fn = hints.act_fn.ok_or(Error::NotDetermined {
        what: "the MLP's activation function",
        key: "act_fn",
        choices: vec!["relu", "gelu", "gelu_new", "silu"],
    })?;
    Ok(Some(Mlp { d_mlp, act_fn: note(notes, "act_fn", act_fn, Source::Flag) }))
}

fn normalization(state_dict: &StateDict, hints: &Hints, notes: &mut Vec<Note>) -> Result<Normalization> {
    const KEY: &str = "normalization_type";
    if state_dict.get("ln_final.w").is_some() {
        agree(KEY, hints.normalization_type, Normalization::LN)?;
        return Ok(note(notes, KEY, Normalization::LN, Source::File));
    }
    match hints.normalization_type {
        Some(Normalization::LN) => Err(Error::invalid("ln_final.w", "a tensor of that name", "none")),
        Some(said) => Ok(note(notes, KEY, said, Source::Flag)),
        None => Err(Error::NotDetermined {
            what: "the normalization (there are no norm weights)",
            key: KEY,
            choices: vec!["LNPre", "none"],
        }),
    }
}

/// From the boolean `mask` buffers, `[query, key]`, true where attention is allowed.
fn attention(state_dict: &StateDict, hints: &Hints, notes: &mut Vec<Note>) -> Result<AttentionDir> {
    const KEY: &str = "attention_dir";
    let mut direction = None;
    for name in state_dict.names().filter(|name| name.ends_with(".attn.mask")) {
        let found = direction_of(state_dict, name)?;
        if direction.is_some_and(|direction| direction != found) {
            return Err(Error::invalid(name, "the mask of the other blocks", "another"));
        }
        direction = Some(found);
    }
    match (direction, hints.attention_dir) {
        (Some(direction), said) => {
            agree(KEY, said, direction)?;
            Ok(note(notes, KEY, direction, Source::File))
        }
        (None, Some(said)) => Ok(note(notes, KEY, said, Source::Flag)),
        (None, None) => Err(Error::NotDetermined {
            what: "whether attention is causal (there is no mask)",
            key: KEY,
            choices: vec!["causal", "bidirectional"],
        }),
    }
}

/// What a mask allows.
fn direction_of(state_dict: &StateDict, name: &str) -> Result<AttentionDir> {
    let Some(allowed) = state_dict.get(name).and_then(Tensor::bools) else {
        return Err(Error::invalid(name, "booleans", "numbers"));
    };
    let ([queries, keys], [n_ctx, _]) = (state_dict.shape(name)?, state_dict.shape("pos_embed.W_pos")?);
    if [queries, keys] != [n_ctx, n_ctx] {
        return Err(Error::invalid(name, format!("shape {:?}", [n_ctx, n_ctx]), format!("{:?}", [queries, keys])));
    }
    if allowed.iter().enumerate().all(|(at, may)| *may == (at % keys <= at / keys)) {
        Ok(AttentionDir::Causal)
    } else if allowed.iter().all(|may| *may) {
        Ok(AttentionDir::Bidirectional)
    } else {
        Err(Error::invalid(name, "a causal mask or one that is true throughout", "another"))
    }
}
