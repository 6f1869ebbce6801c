//! Layouts: how programs name and shape the weights of a transformer, as declared mappings to TransformerLens's.
//!
//! A layout is a list of [`Rule`]s. Each says what a tensor is called, what its axes are, and which of our weights it is or
//! holds. Axes are written as einops writes them: `d_model (head d_head)` is a matrix whose columns run over the dimensions of
//! one head after another. What is not one to one (a transpose, a split, heads that stand apart) follows from the axes.

mod apply;
mod axes;
pub(super) mod declaration;
mod draft;
mod gpt2;
mod grokking;
mod known;
mod multihead_attention;
mod names;
mod puzzles;
mod targets;
mod transformer_lens;

pub(super) use apply::Mapped;
pub use declaration::{Layout, Rule};
pub use draft::Draft;

use super::{hints::Hints, state_dict::StateDict};
use crate::{Error, Result};
use apply::{Miss, apply};

/// A state dict in TransformerLens's layout: by the layout that is said, or by the one that speaks of the most of its
/// tensors.
///
/// # Errors
/// [`Error::NoLayout`] for a state dict that fits none, with the nearest and what it misses; [`Error::SeveralLayouts`] for one
/// that fits several; [`Error::NotDetermined`] for one that fits but for a size that must be said; what is wrong with a layout
/// that is said, or what of it the tensors miss.
pub(super) fn read(state_dict: &StateDict, hints: &Hints) -> Result<Mapped> {
    if let Some(layout) = &hints.layout {
        layout.check()?;
        return apply(layout, state_dict, hints).map_err(|miss| miss.error);
    }
    let all = Layout::all();
    let mut tried: Vec<(String, Result<Mapped, Miss>)> =
        all.iter().map(|layout| (layout.name.clone(), apply(layout, state_dict, hints))).collect();
    let fit = |outcome: &Result<Mapped, Miss>| match outcome {
        Ok(mapped) => Some(mapped.matched),
        Err(miss) => miss.asks.then_some(miss.matched),
    };
    let most = tried.iter().filter_map(|(_, outcome)| fit(outcome)).max();
    let best: Vec<usize> = (0..tried.len()).filter(|at| most.is_some() && fit(&tried[*at].1) == most).collect();
    match best.as_slice() {
        [] => Err(nearest(tried)),
        [at] => match &all[*at] {
            Layout { unsaid: Some((what, name)), .. } => {
                Err(Error::NotDetermined { what, key: "layout", choices: vec![*name] })
            }
            _ => tried.swap_remove(*at).1.map_err(|miss| miss.error),
        },
        several => Err(Error::SeveralLayouts { choices: several.iter().map(|at| tried[*at].0.clone()).collect() }),
    }
}

/// What of the layout that speaks of the most tensors they miss.
fn nearest(tried: Vec<(String, Result<Mapped, Miss>)>) -> Error {
    let misses = tried.into_iter().filter_map(|(name, outcome)| Some((name, outcome.err()?)));
    // Of several the first.
    let nearest = misses.reduce(|best, other| if other.1.matched > best.1.matched { other } else { best });
    match nearest {
        Some((nearest, miss)) => Error::NoLayout { nearest, miss: Box::new(miss.error) },
        None => Error::invalid("layout", "a layout that is known", "none"),
    }
}
