//! Dot products of rows.

use super::{RowSource, Rows, RowsMut, many_registers, runs, unrelated};
use crate::engine::vector::{Beside, sums_of_four};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::ops::Range;

/// How many columns rows of dot products must have room for at a time: results are written in runs that divide it.
pub const DOTS: usize = 4;

/// The most rows of a tile of dot products.
const HIGHEST_DOTS: usize = 5;

/// Result (i, j) ← row i of a · row j of b, over `width` numbers (whole vectors), for these rows of a and the first
/// `columns` rows of b.
///
/// # Panics
/// If rows are not there, or the width is not whole vectors.
#[simd]
pub fn dot_products<S: Simd, T: RowSource>(
    simd: S,
    out: &mut RowsMut<'_>,
    a: Rows<'_>,
    rows: Range<usize>,
    b: T,
    columns: usize,
    width: usize,
) {
    assert!(a.holds(rows.end, width) && b.holds(columns, width), "a product's matrices");
    assert!(width.is_multiple_of(S::f32s::LEN), "whole vectors");
    for tile in runs(rows.len(), HIGHEST_DOTS) {
        let first = rows.start + tile.start;
        // SAFETY: asserted above for all rows, of which the tile's are a part, and all columns.
        unsafe {
            match tile.len() {
                1 => dots_of_rows::<S, T, 1>(simd, out, a, first, b, columns, width),
                2 => dots_of_rows::<S, T, 2>(simd, out, a, first, b, columns, width),
                3 => dots_of_rows::<S, T, 3>(simd, out, a, first, b, columns, width),
                4 => dots_of_rows::<S, T, 4>(simd, out, a, first, b, columns, width),
                5 => dots_of_rows::<S, T, 5>(simd, out, a, first, b, columns, width),
                _ => unreachable!("no tile is higher"),
            }
        }
    }
}

/// M rows of [`dot_products`].
///
/// # Safety
/// `a` has M rows from `first` on, and `b` has `columns` rows; all have the width, which is whole vectors.
#[simd]
unsafe fn dots_of_rows<S: Simd, T: RowSource, const M: usize>(
    simd: S,
    out: &mut RowsMut<'_>,
    a: Rows<'_>,
    first: usize,
    b: T,
    columns: usize,
    width: usize,
) {
    if many_registers::<S>() {
        for column in (0..columns).step_by(DOTS) {
            // SAFETY: the caller's; the rows of b are below `columns`.
            let sums: [[S::f32s; DOTS]; M] = unsafe { dots(simd, a, first, b, column, columns, width) };
            for (i, sums) in sums.into_iter().enumerate() {
                out.row(first + i)[column..column + DOTS].copy_from_slice(&sums_of_four(simd, sums));
            }
        }
        return;
    }
    const PAIR: usize = 2;
    for column in (0..columns).step_by(PAIR) {
        // SAFETY: the caller's; the rows of b are below `columns`.
        let sums: [[S::f32s; PAIR]; M] = unsafe { dots(simd, a, first, b, column, columns, width) };
        for (at, rows) in sums.chunks(2).enumerate() {
            let [[a, b], [c, d]] = [rows[0], rows[rows.len() - 1]];
            let sums = sums_of_four(simd, [a, b, c, d]);
            for (i, sums) in sums.chunks_exact(PAIR).take(rows.len()).enumerate() {
                out.row(first + 2 * at + i)[column..column + PAIR].copy_from_slice(sums);
            }
        }
    }
}

/// The products of M rows of `a` from `first` on and of N rows of `b` from `column` on (the last in place of those that there
/// are not), each to be summed over its lanes.
///
/// # Safety
/// `a` has these rows, and `b` the first `columns`, of which there are some; all have the width, which is whole vectors.
#[inline(always)]
unsafe fn dots<S: Simd, T: RowSource, const M: usize, const N: usize>(
    simd: S,
    a: Rows<'_>,
    first: usize,
    b: T,
    column: usize,
    columns: usize,
    width: usize,
) -> [[S::f32s; N]; M] {
    let mut sums = [[S::f32s::splat(simd, 0.0); N]; M];
    // SAFETY: the caller's.
    let (a, b): ([_; M], [_; N]) = unsafe {
        (
            unrelated(std::array::from_fn(
                #[inline(always)]
                |i| a.place(first + i, 0),
            )),
            unrelated(std::array::from_fn(
                #[inline(always)]
                |j| b.place((column + j).min(columns - 1), 0),
            )),
        )
    };
    for at in (0..width).step_by(S::f32s::LEN) {
        // SAFETY: the caller's: whole vectors below the width.
        let b: [S::f32s; N] = unsafe {
            std::array::from_fn(
                #[inline(always)]
                |j| T::vector(simd, b[j], at),
            )
        };
        for (a, sums) in a.iter().beside(&mut sums) {
            // SAFETY: as above.
            let a = unsafe { Rows::vector(simd, *a, at) };
            for (sum, b) in sums.iter_mut().beside(b) {
                *sum = a.mul_add(b, *sum);
            }
        }
    }
    sums
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
            LANES, padded,
            tests::{cases, levels},
        },
    };
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn dot_products_are_dots(
            first in 0..3_usize, count in 1..14_usize, columns in 1..14_usize, vectors in 1..8_usize, seed in 0..11_usize,
        ) {
            let (width, count) = (vectors * LANES, first + count);
            let (a, b) = (numbers(count, width, seed), numbers(columns, width, seed + 1));
            let expected = a.slice(s![first.., ..]).dot(&b.t());
            for level in levels() {
                let mut found = Array2::zeros((count, padded(columns)));
                let mut out = rows_mut(&mut found);
                dispatch!(level, simd => dot_products(
                    simd, &mut out, rows(&a), first..count, rows(&b), columns, width
                ));
                prop_assert_eq!(found.slice(s![first.., ..columns]), &expected, "{:?}", level);
                prop_assert!(found.slice(s![..first, ..]).iter().all(|left| *left == 0.0), "{:?}", level);
            }
        }
    }
}
