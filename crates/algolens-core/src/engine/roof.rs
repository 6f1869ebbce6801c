//! The roof of a core: how many multiply-adds it does when it waits for nothing.

use super::level::Vectors;
use crate::dispatch;
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::hint::black_box;

/// Sums that grow side by side: as many as stay in registers, and more than a core works on at a time.
const SUMS: usize = if cfg!(target_arch = "aarch64") { 24 } else { 12 };

/// Does `rounds` rounds of independent multiply-adds at a vector level, in registers alone; how many these are. Who takes the
/// time knows the most that one core can do.
pub fn independent_multiply_adds(vectors: Vectors, rounds: usize) -> u64 {
    dispatch!(vectors, simd => multiply_adds(simd, rounds))
}

#[simd]
fn multiply_adds<S: Simd>(simd: S, rounds: usize) -> u64 {
    let (factor, term) = (S::f32s::splat(simd, black_box(0.5)), S::f32s::splat(simd, black_box(1.0)));
    let mut sums = [S::f32s::splat(simd, black_box(0.0)); SUMS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = sum.mul_add(factor, term);
        }
    }
    for sum in &sums {
        black_box(sum.as_slice());
    }
    (rounds * SUMS * S::f32s::LEN) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::vector::tests::levels;

    #[test]
    fn every_round_counts_a_vector_of_each_sum() {
        for level in levels() {
            let one = independent_multiply_adds(level, 1);
            assert!(one >= SUMS as u64 && one <= 16 * SUMS as u64, "{level:?}: {one}");
            assert_eq!(independent_multiply_adds(level, 7), 7 * one, "{level:?}");
        }
    }
}
