//! Independent pieces of work on several threads, or on one where there are none.

use crate::Result;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// Whether everything runs on the thread that asks for it.
static ALONE: AtomicBool = AtomicBool::new(false);

/// From now on everything in this process runs on the thread that asks for it: where the others are gone, as in a process that
/// was forked. The results have the same bits.
pub fn stay_on_one_thread() {
    ALONE.store(true, Ordering::Relaxed);
}

#[cfg(feature = "parallel")]
fn alone() -> bool {
    ALONE.load(Ordering::Relaxed)
}

/// Runs `work` on one of the threads that [`for_each`] uses: the caller waits once for all of it, not once for each part.
#[cfg(feature = "parallel")]
pub fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    if alone() { work() } else { rayon::scope(|_| work()) }
}

/// Runs `work`.
#[cfg(not(feature = "parallel"))]
pub fn enter<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Runs both, at the same time where there are threads.
#[cfg(feature = "parallel")]
pub fn join<A: Send, B: Send>(first: impl FnOnce() -> A + Send, second: impl FnOnce() -> B + Send) -> (A, B) {
    if alone() { (first(), second()) } else { rayon::join(first, second) }
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
    if alone() { 1 } else { rayon::current_num_threads() }
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

/// Calls `work` on every piece; threads take one at a time, as they come to it.
#[cfg(feature = "parallel")]
pub fn for_each<P: Send>(pieces: Vec<P>, work: impl Fn(P) + Send + Sync) {
    use rayon::prelude::*;
    if alone() {
        return pieces.into_iter().for_each(work);
    }
    pieces.into_par_iter().with_max_len(1).for_each(work);
}

/// Calls `work` on every piece.
#[cfg(not(feature = "parallel"))]
pub fn for_each<P>(pieces: Vec<P>, work: impl Fn(P)) {
    pieces.into_iter().for_each(work);
}

/// Does each piece of work on one thread from its beginning to its end, as many pieces at a time as there are threads, which
/// take the next as they come to it: nothing waits for anything else. What is parallel within a piece runs on its thread. The
/// answers, in the order of the pieces.
///
/// # Errors
/// If the system gives no threads.
#[cfg(feature = "parallel")]
pub fn one_thread_each<P: Send, R: Send>(pieces: Vec<P>, work: impl Fn(P) -> R + Sync) -> Result<Vec<R>> {
    if alone() {
        return Ok(pieces.into_iter().map(work).collect());
    }
    let pool_of_one = |_| rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pools = (0..threads().min(pieces.len())).map(pool_of_one).collect::<std::result::Result<Vec<_>, _>>();
    let pools = pools.map_err(|error| crate::Error::invalid("threads", "as many as there are cores", error))?;
    let (left, done) = (Mutex::new(pieces.into_iter().enumerate()), Mutex::new(Vec::new()));
    let next = || left.lock().unwrap_or_else(PoisonError::into_inner).next();
    std::thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| {
                while let Some((at, piece)) = next() {
                    let answer = pool.install(|| work(piece));
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, answer));
                }
            });
        }
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(at, _)| *at);
    Ok(done.into_iter().map(|(_, answer)| answer).collect())
}

/// Does each piece of work, one after another. The answers, in the order of the pieces.
///
/// # Errors
/// None.
#[cfg(not(feature = "parallel"))]
pub fn one_thread_each<P, R>(pieces: Vec<P>, work: impl Fn(P) -> R) -> Result<Vec<R>> {
    Ok(pieces.into_iter().map(work).collect())
}

#[cfg(all(test, feature = "parallel", not(target_family = "wasm")))]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn pieces_stay_on_one_thread_and_answers_keep_their_order() {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let answers = pool.install(|| {
            one_thread_each((0..20).collect(), |piece| {
                let seen = Mutex::new(BTreeSet::new());
                for_each((0..50).collect(), |_: usize| {
                    seen.lock().unwrap().insert(format!("{:?}", std::thread::current().id()));
                });
                (piece, seen.into_inner().unwrap())
            })
        });
        let answers = answers.unwrap();
        assert!(answers.iter().map(|(piece, _)| *piece).eq(0..20));
        assert!(answers.iter().all(|(_, threads)| threads.len() == 1));
        let threads: BTreeSet<_> = answers.into_iter().flat_map(|(_, threads)| threads).collect();
        assert!(threads.len() <= 3, "{threads:?}");
    }
}
