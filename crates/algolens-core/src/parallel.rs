//! Independent pieces of work on several threads, or on one where there are none.

use std::sync::{Mutex, PoisonError};

/// Runs `work` on one of the threads that [`for_each`] uses: the caller waits once for all of it, not once for each part.
#[cfg(feature = "parallel")]
pub fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// Runs `work`.
#[cfg(not(feature = "parallel"))]
pub fn enter<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs both, at the same time where there are threads.
#[cfg(feature = "parallel")]
pub fn join<A: Send, B: Send>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
    rayon::join(first, second)
}

/// Runs both.
#[cfg(not(feature = "parallel"))]
pub fn join<A, B>(first: impl FnOnce() -> A, second: impl FnOnce() -> B) -> (A, B) {
    (first(), second())
}

/// Memory of each thread that [`for_each`] uses: pieces of work that run on a thread find it in its core's cache.
pub struct PerThread<M>(Vec<Mutex<M>>);

impl<M> PerThread<M> {
    /// Memory for each of the threads that there are.
    pub fn new(memory: impl Fn() -> M) -> Self {
        Self((0..threads()).map(|_| Mutex::new(memory())).collect())
    }

    /// Runs `work` with this thread's memory, which nobody else uses meanwhile.
    pub fn with<R>(&self, work: impl FnOnce(&mut M) -> R) -> R {
        let own = &self.0[thread() % self.0.len()];
        work(&mut own.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How many threads [`for_each`] uses.
#[cfg(feature = "parallel")]
fn threads() -> usize {
    rayon::current_num_threads()
}

/// How many threads [`for_each`] uses.
#[cfg(not(feature = "parallel"))]
fn threads() -> usize {
    1
}

/// Which of them this is.
#[cfg(feature = "parallel")]
fn thread() -> usize {
    rayon::current_thread_index().unwrap_or(0)
}

/// Which of them this is.
#[cfg(not(feature = "parallel"))]
fn thread() -> usize {
    0
}

/// Calls `work` on every piece.
#[cfg(feature = "parallel")]
pub fn for_each<P: Send>(pieces: Vec<P>, work: impl Fn(P) + Send + Sync) {
    use rayon::prelude::*;
    pieces.into_par_iter().with_max_len(1).for_each(work);
}

/// Calls `work` on every piece.
#[cfg(not(feature = "parallel"))]
pub fn for_each<P>(pieces: Vec<P>, work: impl Fn(P)) {
    pieces.into_iter().for_each(work);
}
