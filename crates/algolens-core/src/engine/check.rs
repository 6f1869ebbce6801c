//! What is checked before a model is run: every engine refuses the same input with the same words.

use super::{batch::Batch, hooks::Hooks};
use crate::{
    Error, Result, Scalar,
    model::{Model, Params},
    task::{Token, check_vocabulary},
};
use ndarray::ArrayView2;

/// Of how many sequences the logits are computed at a time where nothing else depends on it: memory does not grow with data.
pub fn sequences_at_a_time(positions: usize, classes: usize) -> usize {
    const MOST_LISTS: usize = 1024;
    const MOST_LOGITS: usize = 1 << 26;
    (MOST_LOGITS / (positions * classes).max(1)).clamp(1, MOST_LISTS)
}

/// Whether a model can read these sequences and be asked for these positions.
pub fn check_tokens<T: Scalar>(model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<()> {
    let config = model.config();
    if tokens.ncols() == 0 || tokens.ncols() > config.n_ctx {
        return Err(Error::invalid("sequence", format!("1 to {} tokens", config.n_ctx), tokens.ncols()));
    }
    if let Some(position) = positions.iter().find(|p| **p >= tokens.ncols()) {
        return Err(Error::invalid("position", format!("below {}", tokens.ncols()), position));
    }
    check_vocabulary(tokens.iter(), config.d_vocab)
}

/// The most numbers that a pass over a whole batch may keep (8 GB of f32).
const MOST_AT_ONCE: u128 = 1 << 31;

/// Whether a whole batch can be run at once with these hooks.
pub fn check_run<T: Scalar>(model: &Model<T>, tokens: ArrayView2<Token>, hooks: &Hooks<'_, T>) -> Result<()> {
    check_tokens(model, tokens, &[])?;
    hooks.check(model.config())?;
    let most = MOST_AT_ONCE / model.config().activations(tokens.ncols()).max(1);
    if tokens.nrows() as u128 <= most {
        return Ok(());
    }
    Err(Error::invalid("batch", format!("at most {most} sequences of this model at once"), tokens.nrows()))
}

/// Whether a model can be scored on this batch.
pub fn check_batch<T: Scalar>(model: &Model<T>, batch: Batch) -> Result<()> {
    check_tokens(model, batch.tokens, batch.positions)?;
    batch.targets.check(batch.tokens.nrows(), batch.positions.len())?;
    batch.targets.check_classes(model.config().d_vocab_out)
}

/// True if every number is finite.
pub(super) fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |finite, number| finite & number.is_finite())
}

/// Whether gradients are laid out as the model's weights.
pub fn check_gradients<T: Scalar>(model: &Model<T>, gradients: &Params<T>) -> Result<()> {
    if gradients.layout() == model.params.layout() {
        return Ok(());
    }
    let expected = format!("{} numbers in the model's layout", model.params.layout().len());
    Err(Error::invalid("gradients", expected, gradients.layout().len()))
}
