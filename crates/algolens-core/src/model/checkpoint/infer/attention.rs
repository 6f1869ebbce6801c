//! Who attends to whom, and how scores become patterns.

use super::{
    super::{container::Tensor, state_dict::StateDict},
    parts::{Parts, near, windows},
};
use crate::{
    Error, Result,
    model::{AttentionDir, Config},
};

pub(super) fn attention(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    if config.n_heads == 0 || config.n_layers == 0 {
        return Ok(());
    }
    config.attention_dir = direction(state_dict, parts)?;
    config.attn_windows =
        parts.usual("attn_windows", |s| s.attn_windows.clone().map(windows), None)?.unwrap_or_default();
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
    let allowed = state_dict.get(name).map(Tensor::truths).unwrap_or_default();
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
