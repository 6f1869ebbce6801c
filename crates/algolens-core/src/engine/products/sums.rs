//! Weighted sums of rows.

use super::{Accumulator, RowSource, Weights, many_registers, runs, unrelated};
use crate::engine::vector::Beside;
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::ops::Range;

/// The largest tile, in rows and vectors, that leaves registers for what is multiplied.
const fn largest_tile<S: Simd>() -> (usize, usize) {
    match S::f32s::LEN {
        16 => (5, 5),
        _ if many_registers::<S>() => (5, 4),
        _ => (5, 2),
    }
}

/// Result i ← start + Σ weight(i, k) · row k over all pairs of weights and rows and these terms k, for these results and
/// columns (whole vectors).
///
/// # Panics
/// If weights, rows or results are not there.
#[simd]
pub fn weighted_sums<'a, S: Simd, T: RowSource, O: Accumulator, P: Iterator<Item = (Weights<'a>, T)> + Clone>(
    simd: S,
    out: &mut O,
    results: Range<usize>,
    columns: Range<usize>,
    pairs: P,
    terms: Range<usize>,
) {
    assert!(out.holds(results.end, columns.end), "a product's results");
    let (high, _) = largest_tile::<S>();
    for tile in runs(results.len(), high) {
        let first = results.start + tile.start;
        let (columns, pairs, terms) = (columns.clone(), pairs.clone(), terms.clone());
        // SAFETY: asserted above for all results, of which the tile's are a part: runs cover what they cut, and no more.
        unsafe {
            match tile.len() {
                1 => sums_of_rows::<S, T, O, P, 1>(simd, out, first, columns, pairs, terms),
                2 => sums_of_rows::<S, T, O, P, 2>(simd, out, first, columns, pairs, terms),
                3 => sums_of_rows::<S, T, O, P, 3>(simd, out, first, columns, pairs, terms),
                4 => sums_of_rows::<S, T, O, P, 4>(simd, out, first, columns, pairs, terms),
                5 => sums_of_rows::<S, T, O, P, 5>(simd, out, first, columns, pairs, terms),
                _ => unreachable!("no tile is higher"),
            }
        }
    }
}

/// M results of [`weighted_sums`], from `first` on.
///
/// # Safety
/// `out` holds these results and columns.
#[simd]
unsafe fn sums_of_rows<
    'a,
    S: Simd,
    T: RowSource,
    O: Accumulator,
    P: Iterator<Item = (Weights<'a>, T)> + Clone,
    const M: usize,
>(
    simd: S,
    out: &mut O,
    first: usize,
    columns: Range<usize>,
    pairs: P,
    terms: Range<usize>,
) {
    let (_, wide) = largest_tile::<S>();
    for vectors in runs(columns.len() / S::f32s::LEN, wide) {
        let column = columns.start + vectors.start * S::f32s::LEN;
        let (pairs, terms) = (pairs.clone(), terms.clone());
        // SAFETY: the caller's, of all columns, of which the tile's are a part.
        unsafe {
            match vectors.len() {
                1 => sums_of_tile::<S, T, O, P, M, 1>(simd, out, first, column, pairs, terms),
                2 => sums_of_tile::<S, T, O, P, M, 2>(simd, out, first, column, pairs, terms),
                3 if const { largest_tile::<S>().1 >= 3 } => {
                    sums_of_tile::<S, T, O, P, M, 3>(simd, out, first, column, pairs, terms)
                }
                4 if const { largest_tile::<S>().1 >= 4 } => {
                    sums_of_tile::<S, T, O, P, M, 4>(simd, out, first, column, pairs, terms)
                }
                5 if const { largest_tile::<S>().1 >= 5 } => {
                    sums_of_tile::<S, T, O, P, M, 5>(simd, out, first, column, pairs, terms)
                }
                _ => unreachable!("no tile is wider"),
            }
        }
    }
}

/// A tile of [`weighted_sums`]: M results from `first` on, N vectors from `column` on.
///
/// # Safety
/// `out` holds these results and vectors.
#[inline(always)]
unsafe fn sums_of_tile<
    'a,
    S: Simd,
    T: RowSource,
    O: Accumulator,
    P: Iterator<Item = (Weights<'a>, T)>,
    const M: usize,
    const N: usize,
>(
    simd: S,
    out: &mut O,
    first: usize,
    column: usize,
    pairs: P,
    terms: Range<usize>,
) {
    let mut sums = [[S::f32s::splat(simd, 0.0); N]; M];
    for (i, sums) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's.
        *sums = unsafe { out.start(simd, first + i, column) };
    }
    for (weights, rows) in pairs {
        // Each pair as it comes: another walk over them could give others.
        let there = weights.hold(first + M, terms.end) && rows.holds(terms.end, column + N * S::f32s::LEN);
        assert!(there, "a product's matrices");
        let (weights, to_result, to_term) = weights.steps();
        // Of no terms there need be no weights.
        let weights: [*const f32; M] = unrelated(std::array::from_fn(
            #[inline(always)]
            |i| weights.wrapping_add((first + i) * to_result + terms.start * to_term),
        ));
        for (at, k) in terms.clone().enumerate() {
            // SAFETY: asserted above: term k has N vectors from the column on.
            let vectors: [S::f32s; N] = unsafe {
                let place = rows.place(k, column);
                std::array::from_fn(
                    #[inline(always)]
                    |at| T::vector(simd, place, at * S::f32s::LEN),
                )
            };
            for (weight, sums) in weights.into_iter().beside(&mut sums) {
                // SAFETY: asserted above: term k has a weight in M results from the first on.
                let weight = S::f32s::splat(simd, unsafe { *weight.add(at * to_term) });
                for (sum, vector) in sums.iter_mut().beside(vectors) {
                    *sum = weight.mul_add(vector, *sum);
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        // SAFETY: the caller's.
        unsafe { out.put(simd, first + i, column, sums) };
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{numbers, rows, rows_mut},
        *,
    };
    use crate::{
        dispatch,
        engine::vector::{
            LANES,
            tests::{cases, levels},
        },
    };
    use ndarray::s;
    use proptest::prelude::*;
    use std::iter::once;

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn sums_are_weighted(
            first in prop::array::uniform3(0..3_usize), results in 1..14_usize, vectors in 1..8_usize, terms in 0..9_usize, seed in 0..11_usize,
        ) {
            let results = first[0]..first[0] + results;
            let columns = first[1] * LANES..(first[1] + vectors) * LANES;
            let terms = first[2]..first[2] + terms;
            let weights = numbers(results.end, terms.end + 1, seed);
            let term_rows = numbers(terms.end + 1, columns.end, seed + 1);
            let product = weights
                .slice(s![results.clone(), terms.clone()])
                .dot(&term_rows.slice(s![terms.clone(), columns.clone()]));
            let held = numbers(results.end, columns.end, seed + 2);
            let mut expected = held.clone();
            expected.slice_mut(s![results.clone(), columns.clone()]).assign(&product);
            let transposed = weights.t().as_standard_layout().into_owned();
            for level in levels() {
                for weights in [Weights::Straight(rows(&weights)), Weights::Transposed(rows(&transposed))] {
                    let mut found = held.clone();
                    let mut out = rows_mut(&mut found);
                    let (results, columns, terms) = (results.clone(), columns.clone(), terms.clone());
                    dispatch!(level, simd => weighted_sums(
                        simd, &mut out, results.clone(), columns.clone(), once((weights, rows(&term_rows))), terms.clone()
                    ));
                    prop_assert_eq!(&found, &expected, "{:?}", level);
                }
            }
        }
    }
}
