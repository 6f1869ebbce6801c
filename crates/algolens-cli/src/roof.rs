//! The roof of the machine: the multiply-adds that its cores do when they wait for nothing.

use algolens::engine::{Vectors, independent_multiply_adds};
use std::time::Instant;

/// The multiply-adds a second of all threads at once, each at its best: other work takes time from all but the best.
pub fn multiply_adds_per_s(vectors: Vectors) -> f64 {
    /// Some milliseconds.
    const ROUNDS: usize = 1 << 20;
    const TRIES: usize = 40;
    let once = || {
        let begun = Instant::now();
        let done = independent_multiply_adds(vectors, ROUNDS);
        done as f64 / begun.elapsed().as_secs_f64()
    };
    rayon::broadcast(|_| (0..TRIES).map(|_| once()).fold(0.0, f64::max)).into_iter().sum()
}
