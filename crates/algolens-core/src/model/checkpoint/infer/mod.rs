//! The config of a state dict in TransformerLens's layout: from names and shapes what they determine, from hints what they do
//! not, and else what is usual, which is said.

mod attention;
mod normalization;
mod parts;
mod positions;
mod rotary_tables;

pub use parts::Note;

use super::{
    hints::{Hints, Source},
    settings::{Settings, shown},
    state_dict::StateDict,
};
use crate::{
    Error, Result,
    model::{ActFn, Biases, Config, Mlp},
};
use attention::attention;
use normalization::{has_norm_biases, normalization};
use parts::{Parts, cap, sizes};
use positions::positions;

/// The config of a state dict in TransformerLens's layout; models of the layout that it had are as `usual` says.
pub(super) fn config(state_dict: &StateDict, hints: &Hints, usual: &Settings) -> Result<(Config, Vec<Note>)> {
    const W_E: &str = "embed.W_E";
    if let Some(name) = state_dict.names().find(|name| name.ends_with(".embed.W_E")) {
        let expected = "a tensor of that name (save the state dict alone: torch.save(model.state_dict(), file))";
        return Err(Error::invalid(W_E, expected, name));
    }
    let mut notes = Vec::new();
    let mut parts = Parts { hints, usual, of_task: Settings::default(), notes: &mut notes };
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
        if let Some(usual) = part(parts.usual).filter(|usual| *usual != file_says) {
            return Err(Error::invalid(what, format!("the layout's {usual}"), file_says));
        }
        if what != "n_ctx" {
            parts.known(what, part, file_says)?;
        }
    }
    parts.of_task = hints.task.settings(&config);
    mlp(state_dict, &mut parts, &mut config)?;
    normalization(state_dict, &mut parts, &mut config)?;
    attention(state_dict, &mut parts, &mut config)?;
    config.attn_scores_soft_cap = parts.usual("attn_scores_soft_cap", |s| s.attn_scores_soft_cap.map(cap), None)?;
    config.output_logits_soft_cap =
        parts.usual("output_logits_soft_cap", |s| s.output_logits_soft_cap.map(cap), None)?;
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
    if let Some(w_u) = state_dict.get("unembed.W_U") {
        // What other programs tie, they may store twice.
        let equal = || state_dict.get("embed.W_E").is_some_and(|w_e| w_e.permuted(&[1, 0]).bytes() == w_u.bytes());
        return match parts.hints.get(KEY, |s| s.tie_word_embeddings)? {
            Some((true, _)) if w_u.shape().len() != 2 || !equal() => {
                Err(Error::invalid(KEY, "the file's false, whose unembed.W_U is another than its embed.W_E", "true"))
            }
            _ => Ok(false),
        };
    }
    let of_layout = parts.usual.tie_word_embeddings.map(|tied| (tied, Source::Layout));
    match parts.hints.get(KEY, |s| s.tie_word_embeddings)?.or(of_layout) {
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
    Biases {
        b_QKV: attention,
        b_O: attention,
        b_in: mlp,
        b_out: mlp,
        norm: has_norm_biases(state_dict),
        b_U: any(&["unembed.b_U"]),
    }
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
