//! The norms of a model.

use super::{
    super::{settings::shown, state_dict::StateDict},
    parts::Parts,
};
use crate::{
    Error, Result,
    model::{Config, Normalization},
};

pub(super) fn normalization(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
    const KEY: &str = "normalization_type";
    let weight = |name: &str| state_dict.get(name).is_some();
    let blocks = weight("blocks.0.ln1.w") || weight("blocks.0.ln2.w") || (config.n_layers == 0 && weight("ln_final.w"));
    config.normalization_type = if blocks && has_norm_biases(state_dict) {
        parts.known(KEY, |s| s.normalization_type, Normalization::LN)?
    } else if blocks {
        let (what, choices) = ("the normalization (its norms have weights and no biases)", vec!["LN", "RMS"]);
        let question = Error::NotDetermined { what, key: KEY, choices };
        let kind = parts.asked_of(KEY, |s| s.normalization_type, |kind| kind.has_weight(), question)?;
        if !kind.has_weight() {
            return Err(Error::invalid(KEY, "LN or RMS, as the norms have weights", shown(&kind)));
        }
        kind
    } else {
        let choices = vec!["LNPre", "RMSPre", "none"];
        let question =
            Error::NotDetermined { what: "the normalization (there are no norm weights)", key: KEY, choices };
        let kind = parts.asked_of(KEY, |s| s.normalization_type, |kind| !kind.has_weight(), question)?;
        if kind.has_weight() {
            return Err(Error::invalid("blocks.0.ln1.w", "a tensor of that name, as the norm has a weight", "none"));
        }
        kind
    };
    let kind = config.normalization_type;
    // Other norms have no biases that could be absent.
    config.biases.norm |= kind != Normalization::LN;
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

/// Whether norms of the residual stream have biases.
pub(super) fn has_norm_biases(state_dict: &StateDict) -> bool {
    state_dict.names().any(|name| ["ln1.b", "ln2.b", "ln_final.b"].iter().any(|end| name.ends_with(end)))
}
