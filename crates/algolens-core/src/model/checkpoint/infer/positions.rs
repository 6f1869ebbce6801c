//! Where positions enter, and how long a sequence may be.

use super::{
    super::{
        settings::{PositionalEmbedding, Settings, shown},
        state_dict::StateDict,
    },
    parts::Parts,
    rotary_tables,
};
use crate::{
    Error, Result,
    model::{Config, Positions, Rotary},
};

pub(super) fn positions(state_dict: &StateDict, parts: &mut Parts, config: &mut Config) -> Result<()> {
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
