//! The reference engine: every option, every hook, f32 and f64.
//!
//! Written to be read: a forward pass is `forward/` from top to bottom, and begins in its `mod.rs`; `backward/` mirrors it,
//! file by file. Both read a `Pass` (model, batch and sizes), work on `Activations`, and show a `Tracer` every hook point,
//! whose hooks may change what they see. To a gradient such a change counts as adding a constant, overwriting too.
//!
//! With hooks or a cache the whole batch passes at once. Without, it is cut into a fixed number of groups that run in
//! parallel, each through chunks small enough to stay in a core's cache; what groups sum up is added in their order.

mod activations;
mod backward;
mod forward;
mod groups;
mod heads;
mod pass;
mod passes;
pub mod precision;
mod record;
mod tracer;

use super::{
    Batch, Engine, Score, check_batch, check_gradients, check_tokens,
    hooks::{Cache, Filter, Hooks},
};
use crate::{
    Result, Scalar,
    model::{Config, Model, Params},
    parallel,
    task::Token,
};
use groups::Groups;
use ndarray::{Array3, ArrayView2};
use precision::Precision;
use std::sync::{Mutex, PoisonError};

/// The reference engine. Keeps its working memory between calls.
#[derive(Default)]
pub struct Plain<T = f32> {
    idle: Mutex<Vec<Groups<T>>>,
}

impl<T: Scalar> Plain<T> {
    /// An engine with no memory yet.
    pub fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()) }
    }

    /// Runs `work` with the memory of an earlier call, or with new memory where other calls are under way.
    fn with_groups<R>(&self, config: &Config, work: impl FnOnce(&mut Groups<T>) -> R + Send) -> R
    where
        R: Send,
    {
        let fits = |groups: &Groups<T>| groups.config() == config;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = idle.iter().position(fits).map(|at| idle.swap_remove(at));
        drop(idle);
        let mut groups = kept.unwrap_or_else(|| Groups::new(config));
        let result = parallel::enter(|| work(&mut groups));
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(groups);
        result
    }
}

impl<T: Precision> Engine<T> for Plain<T> {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn logits(&self, model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<T>> {
        check_tokens(model, tokens, positions)?;
        let mut logits = Array3::zeros((tokens.nrows(), positions.len(), model.config().d_vocab_out));
        self.with_groups(model.config(), |groups| T::logits(groups, model, tokens, positions, &mut logits));
        Ok(logits)
    }

    fn loss_and_gradients(&self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Result<Score> {
        check_batch(model, batch)?;
        check_gradients(model, gradients)?;
        Ok(self.with_groups(model.config(), |groups| T::loss_and_gradients(groups, model, batch, gradients)))
    }

    fn run_from(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        before: &Cache<T>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
    ) -> Result<(Array3<T>, Cache<T>)> {
        T::run_from(model, tokens, before, hooks, record)
    }
}
