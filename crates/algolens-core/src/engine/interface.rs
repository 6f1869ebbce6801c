//! The interface of everything that runs models.

use super::{
    batch::Batch,
    check::{check_batch, sequences_at_a_time},
    gradients::{Gradients, Seed},
    hooks::{Cache, Filter, Hooks},
    loss::{self, Outcome, Score},
    plain::precision::Precision,
};
use crate::{
    Result, Scalar,
    model::{Model, Params},
    task::Token,
};
use ndarray::{Array3, ArrayView2};

/// Something that runs models. Results never depend on the number of threads.
pub trait Engine<T: Precision = f32>: Send + Sync {
    /// What results call it.
    fn name(&self) -> &'static str;

    /// The logits at some positions, `[batch, position, d_vocab_out]`.
    ///
    /// # Errors
    /// Sequences that are too long, tokens or positions out of range.
    fn logits(&self, model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<T>>;

    /// The mean loss of a batch by weight, and its gradient with respect to every weight of the model, which replaces what
    /// `gradients` holds. Of a batch in which nothing is scored the gradient is zero.
    ///
    /// # Errors
    /// As [`logits`](Self::logits); also targets out of range.
    fn loss_and_gradients(&self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Result<Score>;

    /// Runs the whole batch with hooks: the logits at every position, and the activations recorded after the hooks
    /// changed them. By default as [`Plain`](super::Plain) does, which runs a batch without hooks chunk by chunk on all
    /// threads.
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
        T::run(model, tokens, hooks, record)
    }

    /// [`run`](Self::run) where a run of the same model on the same tokens without hooks has left `before`: it begins at
    /// [`HookPoint::residual_before`](super::hooks::HookPoint::residual_before) all hooks and what is recorded, and does not
    /// run the blocks before that again. Where `before` lacks that point, it begins at the tokens, as it always does by
    /// default.
    ///
    /// # Errors
    /// As [`run`](Self::run); also an activation in `before` whose shape is not that of the batch.
    fn run_from(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        _before: &Cache<T>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
    ) -> Result<(Array3<T>, Cache<T>)> {
        self.run(model, tokens, hooks, record)
    }

    /// Runs the whole batch with hooks, forward and backward: the logits, and the gradients of the number whose
    /// derivative by the logits is `seed`. By default as [`Plain`](super::Plain) does.
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
        T::run_with_gradients(model, tokens, hooks, record, seed)
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
        outcomes_of_logits(model, batch, |tokens| self.logits(model, tokens, batch.positions))
    }

    /// How well the model predicts a batch.
    ///
    /// # Errors
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    fn score(&self, model: &Model<T>, batch: Batch) -> Result<Score> {
        Ok(self.outcomes(model, batch)?.into_iter().collect())
    }
}

/// The outcomes of a batch from its logits at the predicted positions, some sequences at a time.
pub(super) fn outcomes_of_logits<T: Scalar>(
    model: &Model<T>,
    batch: Batch,
    logits: impl Fn(ArrayView2<Token>) -> Result<Array3<T>>,
) -> Result<Vec<Outcome>> {
    let sequences = sequences_at_a_time(batch.positions.len(), model.config().d_vocab_out);
    let mut outcomes = Vec::with_capacity(batch.targets.len());
    for chunk in batch.chunks(sequences) {
        outcomes.extend(loss::outcomes(logits(chunk.tokens)?.view(), chunk.targets));
    }
    Ok(outcomes)
}
