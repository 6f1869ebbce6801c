//! Working memory that engines keep between calls, and the calls themselves: what is checked before a batch is run.

use super::{
    Batch, Outcome, Score, Vectors,
    check::{all_finite, check_batch, check_gradients, check_tokens},
    interface::outcomes_of_logits,
};
use crate::{
    Result,
    model::{Config, Model, Params},
    parallel,
    task::{RightView, Token},
};
use ndarray::{Array3, ArrayView2};
use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// What memory is for.
#[derive(Clone, Debug, PartialEq)]
pub struct BufferKey {
    pub config: Config,
    /// Tokens of a sequence.
    pub seq: usize,
    /// The predicted positions.
    pub positions: Vec<usize>,
}

impl BufferKey {
    fn new(model: &Model, seq: usize, positions: &[usize]) -> Self {
        Self { config: model.config().clone(), seq, positions: positions.to_vec() }
    }
}

/// Memory that nobody uses at the moment, all for the key of the latest call.
pub struct Pool<M> {
    idle: Mutex<Vec<KeyedBuffer<M>>>,
}

impl<M> Default for Pool<M> {
    fn default() -> Self {
        Self { idle: Mutex::default() }
    }
}

/// Memory, and what it is for.
struct KeyedBuffer<M> {
    key: BufferKey,
    memory: M,
}

impl<M> Deref for KeyedBuffer<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.memory
    }
}

impl<M> DerefMut for KeyedBuffer<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.memory
    }
}

/// Memory in which a backend runs batches that have been checked and have something to predict.
pub trait Memory: Send {
    /// Memory for a model and a key.
    fn new(model: &Model, key: &BufferKey) -> Self;

    /// Fills in the logits `[batch, position, d_vocab_out]`.
    fn logits(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>, all: &mut Array3<f32>);

    /// Fills in the outcomes of `classes [batch, position]`, sequence by sequence, each as if it counted 1.
    fn outcomes(
        &mut self,
        vectors: Vectors,
        model: &Model,
        tokens: ArrayView2<Token>,
        classes: ArrayView2<Token>,
        all: &mut [Outcome],
    );

    /// Replaces gradients, and scores the batch.
    fn loss_and_gradients(
        &mut self,
        vectors: Vectors,
        model: &Model,
        batch: Batch,
        gradients: &mut Params<f32>,
    ) -> Score;
}

impl<M: Memory> Pool<M> {
    /// As [`Engine::logits`](super::Engine::logits).
    pub fn logits(
        &self,
        vectors: Vectors,
        model: &Model,
        tokens: ArrayView2<Token>,
        positions: &[usize],
    ) -> Result<Array3<f32>> {
        check_tokens(model, tokens, positions)?;
        let mut all = Array3::zeros((tokens.nrows(), positions.len(), model.config().d_vocab_out));
        if !all.is_empty() {
            parallel::enter(|| {
                let mut memory = self.take(model, BufferKey::new(model, tokens.ncols(), positions));
                memory.logits(vectors, model, tokens, &mut all);
                self.give_back(memory);
            });
        }
        Ok(all)
    }

    /// As [`Engine::outcomes`](super::Engine::outcomes).
    pub fn outcomes(&self, vectors: Vectors, model: &Model, batch: Batch) -> Result<Vec<Outcome>> {
        check_batch(model, batch)?;
        let RightView::Classes(classes) = batch.targets.right else {
            return outcomes_of_logits(model, batch, |tokens| self.logits(vectors, model, tokens, batch.positions));
        };
        let mut all = vec![Outcome::default(); classes.len()];
        if !all.is_empty() {
            parallel::enter(|| {
                let mut memory = self.take(model, BufferKey::new(model, batch.tokens.ncols(), batch.positions));
                memory.outcomes(vectors, model, batch.tokens, classes, &mut all);
                self.give_back(memory);
            });
        }
        if let Some(weights) = batch.targets.weights {
            all.iter_mut().zip(weights).for_each(|(outcome, weight)| outcome.weight = *weight);
        }
        Ok(all)
    }

    /// As [`Engine::loss_and_gradients`](super::Engine::loss_and_gradients).
    pub fn loss_and_gradients(
        &self,
        vectors: Vectors,
        model: &Model,
        batch: Batch,
        gradients: &mut Params<f32>,
    ) -> Result<Score> {
        check_batch(model, batch)?;
        check_gradients(model, gradients)?;
        if batch.targets.total_weight() == 0.0 {
            gradients.values_mut().fill(0.0);
            return Ok(Score::default());
        }
        let (memory, score) = parallel::enter(|| {
            let mut memory = self.take(model, BufferKey::new(model, batch.tokens.ncols(), batch.positions));
            let score = memory.loss_and_gradients(vectors, model, batch, gradients);
            (memory, score)
        });
        // Numbers that are none would stay in what the next pass takes for zeros.
        if score.loss_sum.is_finite() && all_finite(gradients.values()) {
            self.give_back(memory);
        }
        Ok(score)
    }

    /// Memory of an earlier call for the same key, or new memory. What is kept for other purposes is freed.
    fn take(&self, model: &Model, key: BufferKey) -> KeyedBuffer<M> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.key == key);
        let kept = idle.pop();
        drop(idle);
        kept.unwrap_or_else(|| KeyedBuffer { memory: M::new(model, &key), key })
    }

    /// Keeps memory for the next call.
    fn give_back(&self, memory: KeyedBuffer<M>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}
