//! Working memory that engines keep between calls.

use crate::model::{Config, Model};
use std::{
    ops::{Deref, DerefMut},
    sync::{Mutex, PoisonError},
};

/// What memory is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Purpose {
    pub config: Config,
    /// Tokens of a sequence.
    pub seq: usize,
    /// The predicted positions.
    pub positions: Vec<usize>,
}

impl Purpose {
    pub fn new(model: &Model, seq: usize, positions: &[usize]) -> Self {
        Self { config: model.config().clone(), seq, positions: positions.to_vec() }
    }
}

/// Memory that nobody uses at the moment, all for the purpose of the latest call.
pub struct Pool<M> {
    idle: Mutex<Vec<Kept<M>>>,
}

impl<M> Default for Pool<M> {
    fn default() -> Self {
        Self { idle: Mutex::default() }
    }
}

/// Memory, and what it is for.
pub struct Kept<M> {
    purpose: Purpose,
    memory: M,
}

impl<M> Deref for Kept<M> {
    type Target = M;

    fn deref(&self) -> &M {
        &self.memory
    }
}

impl<M> DerefMut for Kept<M> {
    fn deref_mut(&mut self) -> &mut M {
        &mut self.memory
    }
}

impl<M> Pool<M> {
    /// Memory of an earlier call for the same purpose, or new memory. What is kept for other purposes is freed.
    pub fn take(&self, purpose: Purpose, new: impl FnOnce(&Purpose) -> M) -> Kept<M> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|kept| kept.purpose == purpose);
        let kept = idle.pop();
        drop(idle);
        kept.unwrap_or_else(|| Kept { memory: new(&purpose), purpose })
    }

    /// Keeps memory for the next call.
    pub fn give_back(&self, memory: Kept<M>) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
    }
}
