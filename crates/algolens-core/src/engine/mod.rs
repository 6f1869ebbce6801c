//! Running a model.
//!
//! [`Engine`] is what training and interpretation see. A model has up to three backends: [`Plain`] is the reference that
//! the others are tested against; [`Table`] is fast at any depth; [`Circuit`] is fastest, for one-layer attention-only
//! models. [`Backend::best`] chooses.

mod activation;
mod backend;
mod circuit;
mod groups;
pub mod hooks;
mod level;
pub mod loss;
pub mod matmul;
mod memory;
mod plain;
pub mod products;
mod queries;
pub mod softmax;
mod table;
pub mod vector;

pub use backend::Backend;
pub use circuit::Circuit;
#[doc(hidden)]
pub use fearless_simd;
pub use level::Vectors;
pub use loss::{Outcome, Score};
pub use plain::Plain;
pub use table::Table;

use crate::{
    Error, Result, Scalar,
    model::{Model, Params},
    task::{Dataset, Token, check_vocabulary},
};
use hooks::{Cache, Filter, Hooks};
use ndarray::{Array3, ArrayView2, ArrayView3, s};

/// Queries, keys and values, as indices of three-fold arrays.
const Q: usize = 0;
/// See [`Q`].
const K: usize = 1;
/// See [`Q`].
const V: usize = 2;

/// Sequences, and the right class at the predicted positions of each.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `[batch, pos]`.
    pub tokens: ArrayView2<'a, Token>,
    /// `[batch, predicted position]`.
    pub targets: ArrayView2<'a, Token>,
    /// The positions that are predicted.
    pub positions: &'a [usize],
}

impl<'a> From<&'a Dataset> for Batch<'a> {
    fn from(data: &'a Dataset) -> Self {
        Self { tokens: data.tokens(), targets: data.targets(), positions: data.positions() }
    }
}

impl<'a> Batch<'a> {
    /// The shares of groups that run in parallel.
    fn shares(self, groups: usize) -> impl Iterator<Item = Batch<'a>> {
        self.chunks(groups::sequences_per_group(self.tokens.nrows(), groups))
    }

    /// The batch, this many sequences at a time.
    fn chunks(self, chunk: usize) -> impl Iterator<Item = Batch<'a>> {
        let sequences = self.tokens.nrows();
        (0..sequences).step_by(chunk).map(move |from| self.slice(from, (from + chunk).min(sequences)))
    }

    /// Examples `from..to` of the batch.
    pub fn slice(&self, from: usize, to: usize) -> Batch<'a> {
        let Self { tokens, targets, positions } = *self;
        Batch { tokens: tokens.slice_move(s![from..to, ..]), targets: targets.slice_move(s![from..to, ..]), positions }
    }
}

/// The gradients of a number with respect to the weights and to activations.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    /// With respect to every weight.
    pub params: Params<T>,
    /// With respect to the activations that were asked for, by hook name.
    pub activations: Cache<T>,
}

/// df/dlogits `[batch, pos, d_vocab_out]` of a number f, given the logits: what a backward pass starts from.
pub type Seed<'a, T> = &'a mut dyn FnMut(ArrayView3<'_, T>) -> Result<Array3<T>>;

/// Something that runs models. Results never depend on the number of threads.
pub trait Engine<T: Scalar = f32>: Send + Sync {
    /// What results call it.
    fn name(&self) -> &'static str;

    /// The logits at some positions, `[batch, position, d_vocab_out]`.
    ///
    /// # Errors
    /// Sequences that are too long, tokens or positions out of range.
    fn logits(&self, model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<T>>;

    /// The mean cross-entropy of a batch, and its gradient with respect to every weight, which replaces what
    /// `gradients` holds.
    ///
    /// # Errors
    /// As [`logits`](Self::logits); also targets out of range.
    fn loss_and_gradients(&self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Result<Score>;

    /// Runs the whole batch with hooks: the logits at every position, and the activations recorded after the hooks
    /// changed them. Every engine does this as [`Plain`].
    ///
    /// # Errors
    /// As [`logits`](Self::logits); also unknown names, and whatever a hook returns.
    fn run(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
    ) -> Result<(Array3<T>, Cache<T>)> {
        Plain::new().run(model, tokens, hooks, record)
    }

    /// Runs the whole batch with hooks, forward and backward: the logits, and the gradients of the number whose
    /// derivative by the logits is `seed`. Every engine does this as [`Plain`].
    ///
    /// A hook counts as *adding a constant* to its activation: the gradient passes it unchanged. In a block whose
    /// inputs are split, the gradients at `ln1.…` are those of the values' inputs, as in a cache.
    ///
    /// # Errors
    /// As [`run`](Self::run); also a seed whose shape is not that of the logits.
    fn run_with_gradients(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
        seed: Seed<'_, T>,
    ) -> Result<(Array3<T>, Gradients<T>)> {
        Plain::new().run_with_gradients(model, tokens, hooks, record, seed)
    }

    /// Runs the whole batch and records activations.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn run_with_cache(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        record: Filter,
    ) -> Result<(Array3<T>, Cache<T>)> {
        self.run(model, tokens, &mut Hooks::new(model.config()), record)
    }

    /// Runs the whole batch with hooks; the logits at every position.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    fn run_with_hooks(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, T>,
    ) -> Result<Array3<T>> {
        self.run(model, tokens, hooks, Filter::Nothing).map(|(logits, _)| logits)
    }

    /// How well the model predicts each target of a batch, sequence by sequence.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    fn outcomes(&self, model: &Model<T>, batch: Batch) -> Result<Vec<Outcome>> {
        check_batch(model, batch)?;
        let sequences = sequences_at_a_time(batch.positions.len(), model.config().d_vocab_out);
        let mut outcomes = Vec::with_capacity(batch.targets.len());
        for from in (0..batch.tokens.nrows()).step_by(sequences) {
            let chunk = batch.slice(from, (from + sequences).min(batch.tokens.nrows()));
            let logits = self.logits(model, chunk.tokens, chunk.positions)?;
            outcomes.extend(loss::outcomes(logits.view(), chunk.targets));
        }
        Ok(outcomes)
    }

    /// How well the model predicts a batch.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    fn score(&self, model: &Model<T>, batch: Batch) -> Result<Score> {
        Ok(self.outcomes(model, batch)?.into_iter().collect())
    }
}

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
    let expected = (batch.tokens.nrows(), batch.positions.len());
    if batch.targets.dim() != expected {
        let found = format!("{:?}", batch.targets.shape());
        return Err(Error::invalid("targets", format!("[{}, {}]", expected.0, expected.1), found));
    }
    check_vocabulary(batch.targets.iter(), model.config().d_vocab_out)
}

/// Whether no number is infinite or none at all.
fn all_finite(numbers: &[f32]) -> bool {
    numbers.iter().fold(true, |finite, number| finite & number.is_finite())
}

/// Whether gradients are laid out as the model's weights.
fn check_gradients<T: Scalar>(model: &Model<T>, gradients: &Params<T>) -> Result<()> {
    if gradients.layout() == model.params.layout() {
        return Ok(());
    }
    let expected = format!("{} numbers in the model's layout", model.params.layout().len());
    Err(Error::invalid("gradients", expected, gradients.layout().len()))
}
