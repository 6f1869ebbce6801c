//! Products of small matrices that stay in a core's registers: a *tile* of the result is summed up whole before it is
//! written. Where matrices are large, `matmul` is the better tool.

use super::vector::{get, lanes, lanes_mut, sums_of_four};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::ops::Range;

/// Rows of numbers, one every `stride`.
#[derive(Clone, Copy)]
pub struct Rows<'a> {
    /// Whole rows and what stands between them.
    pub data: &'a [f32],
    /// From the start of one row to that of the next.
    pub stride: usize,
}

impl<'a> Rows<'a> {
    /// The numbers of `row` from column 0 on, and whatever follows it.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &'a [f32] {
        &self.data[row * self.stride..]
    }

    /// The rows from `first` on.
    #[inline(always)]
    pub fn from(&self, first: usize) -> Self {
        Self { data: &self.data[first * self.stride..], ..*self }
    }
}

/// Rows that are written.
pub struct RowsMut<'a> {
    /// Whole rows and what stands between them.
    pub data: &'a mut [f32],
    /// From the start of one row to that of the next.
    pub stride: usize,
}

impl RowsMut<'_> {
    /// The rows from `first` on.
    #[inline(always)]
    pub fn from(&mut self, first: usize) -> RowsMut<'_> {
        RowsMut { data: &mut self.data[first * self.stride..], stride: self.stride }
    }

    /// The numbers of `row` from column 0 on, and whatever follows it.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.stride..]
    }
}

/// How a matrix of weights is read.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    /// The weight of term k in result i stands at row i, column k.
    Straight(Rows<'a>),
    /// The weight of term k in result i stands at row k, column i plus this number.
    Transposed(Rows<'a>, usize),
}

/// The largest tile, in rows and vectors, that leaves registers for what is multiplied.
const fn largest_tile<S: Simd>() -> (usize, usize) {
    if S::f32s::LEN == 16 { (5, 5) } else { (4, 3) }
}

/// `total` cut into the fewest runs of at most `most`, as even as they can be.
#[inline(always)]
pub fn runs(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = total.div_ceil(most);
    (0..count).map(move |run| total * run / count..total * (run + 1) / count)
}

/// Calls `$kernel::<S, rows, vectors>` for a tile of at most 5 × 5.
macro_rules! with_tile {
    ($rows:expr, $vectors:expr, $kernel:ident $arguments:tt) => {
        match $rows {
            1 => with_tile!(@ 1, $vectors, $kernel $arguments),
            2 => with_tile!(@ 2, $vectors, $kernel $arguments),
            3 => with_tile!(@ 3, $vectors, $kernel $arguments),
            4 => with_tile!(@ 4, $vectors, $kernel $arguments),
            5 => with_tile!(@ 5, $vectors, $kernel $arguments),
            _ => unreachable!("no tile is higher"),
        }
    };
    (@ $rows:literal, $vectors:expr, $kernel:ident $arguments:tt) => {
        match $vectors {
            1 => $kernel::<S, $rows, 1> $arguments,
            2 => $kernel::<S, $rows, 2> $arguments,
            3 => $kernel::<S, $rows, 3> $arguments,
            4 => $kernel::<S, $rows, 4> $arguments,
            5 => $kernel::<S, $rows, 5> $arguments,
            _ => unreachable!("no tile is wider"),
        }
    };
}

/// What sums start from.
#[derive(Clone, Copy)]
pub enum Start {
    /// Zero.
    Zero,
    /// What the result holds.
    Held,
}

/// Result i ← start + Σₖ weight(i, k) · row k, for `results` rows of `width` numbers (whole vectors) and `terms` terms.
#[simd]
#[expect(clippy::too_many_arguments, reason = "three matrices and their sizes")]
pub fn weighted_sums<S: Simd>(
    simd: S,
    out: &mut RowsMut<'_>,
    start: Start,
    results: usize,
    width: usize,
    weights: Weights<'_>,
    rows: Rows<'_>,
    terms: usize,
) {
    let (high, wide) = largest_tile::<S>();
    for tile_rows in runs(results, high) {
        for vectors in runs(width / S::f32s::LEN, wide) {
            let columns = vectors.start * S::f32s::LEN..vectors.end * S::f32s::LEN;
            with_tile!(
                tile_rows.len(),
                vectors.len(),
                weighted_sums_tile(simd, out, start, tile_rows.start, columns, weights, rows, terms)
            );
        }
    }
}

#[simd]
#[expect(clippy::too_many_arguments, reason = "three matrices and the tile's place")]
fn weighted_sums_tile<S: Simd, const M: usize, const N: usize>(
    simd: S,
    out: &mut RowsMut<'_>,
    start: Start,
    first: usize,
    columns: Range<usize>,
    weights: Weights<'_>,
    rows: Rows<'_>,
    terms: usize,
) {
    let mut sums = [[S::f32s::splat(simd, 0.0); N]; M];
    if let Start::Held = start {
        for (i, sums) in sums.iter_mut().enumerate() {
            for (sum, held) in sums.iter_mut().zip(lanes::<S>(&out.row(first + i)[columns.clone()])) {
                *sum = get(simd, held);
            }
        }
    }
    match weights {
        Weights::Straight(weights) => {
            let mut of_row = [&weights.data[..0]; M];
            for (i, of_row) in of_row.iter_mut().enumerate() {
                *of_row = &weights.row(first + i)[..terms];
            }
            #[expect(clippy::needless_range_loop, reason = "the term is an index of every row")]
            for k in 0..terms {
                let row = &rows.row(k)[columns.clone()];
                add_term(
                    simd,
                    &mut sums,
                    #[inline(always)]
                    |i| of_row[i][k],
                    row,
                );
            }
        }
        Weights::Transposed(weights, column) => {
            for k in 0..terms {
                let weight =
                    weights.row(k)[column + first..].first_chunk::<M>().expect("a weight for every row of the tile");
                let row = &rows.row(k)[columns.clone()];
                add_term(
                    simd,
                    &mut sums,
                    #[inline(always)]
                    |i| weight[i],
                    row,
                );
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        for (sum, out) in sums.iter().zip(lanes_mut::<S>(&mut out.row(first + i)[columns.clone()])) {
            sum.store_slice(out);
        }
    }
}

/// Sum i ← sum i + weight i · row.
#[inline(always)]
fn add_term<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; M],
    weight: impl Fn(usize) -> f32,
    row: &[f32],
) {
    let mut vectors = [S::f32s::splat(simd, 0.0); N];
    for (vector, row) in vectors.iter_mut().zip(lanes::<S>(row)) {
        *vector = get(simd, row);
    }
    for (i, sums) in sums.iter_mut().enumerate() {
        let weight = S::f32s::splat(simd, weight(i));
        for (sum, vector) in sums.iter_mut().zip(vectors) {
            *sum = weight.mul_add(vector, *sum);
        }
    }
}

/// How many columns of dot products are computed at a time; rows of `out` must have room for whole such runs.
pub const DOTS: usize = 4;

/// Result (i, j) ← row i of a · row j of b, over `width` numbers (whole vectors), for `rows` rows of a and `columns` rows of b.
#[simd]
pub fn dot_products<S: Simd>(
    simd: S,
    out: &mut RowsMut<'_>,
    a: Rows<'_>,
    rows: usize,
    b: Rows<'_>,
    columns: usize,
    width: usize,
) {
    let high = if S::f32s::LEN == 16 { 5 } else { 2 };
    for column in (0..columns).step_by(DOTS) {
        for tile in runs(rows, high) {
            let first = tile.start;
            match tile.len() {
                1 => dots_tile::<S, 1>(simd, out, a, first, b, column, columns, width),
                2 => dots_tile::<S, 2>(simd, out, a, first, b, column, columns, width),
                3 => dots_tile::<S, 3>(simd, out, a, first, b, column, columns, width),
                4 => dots_tile::<S, 4>(simd, out, a, first, b, column, columns, width),
                5 => dots_tile::<S, 5>(simd, out, a, first, b, column, columns, width),
                _ => unreachable!("no tile is higher"),
            }
        }
    }
}

#[simd]
#[expect(clippy::too_many_arguments, reason = "two matrices, the tile's place and its size")]
fn dots_tile<S: Simd, const M: usize>(
    simd: S,
    out: &mut RowsMut<'_>,
    a: Rows<'_>,
    first: usize,
    b: Rows<'_>,
    column: usize,
    columns: usize,
    width: usize,
) {
    let mut b_rows = [&b.data[..0]; DOTS];
    for (j, row) in b_rows.iter_mut().enumerate() {
        *row = &b.row((column + j).min(columns - 1))[..width];
    }
    let mut a_rows = [&a.data[..0]; M];
    for (i, row) in a_rows.iter_mut().enumerate() {
        *row = &a.row(first + i)[..width];
    }
    let mut sums = [[S::f32s::splat(simd, 0.0); DOTS]; M];
    for at in (0..width).step_by(S::f32s::LEN) {
        let mut of_b = [S::f32s::splat(simd, 0.0); DOTS];
        for j in 0..DOTS {
            of_b[j] = get(simd, &b_rows[j][at..at + S::f32s::LEN]);
        }
        for i in 0..M {
            let of_a = get(simd, &a_rows[i][at..at + S::f32s::LEN]);
            for j in 0..DOTS {
                sums[i][j] = of_a.mul_add(of_b[j], sums[i][j]);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        out.row(first + i)[column..column + DOTS].copy_from_slice(&sums_of_four::<S>(sums));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::vector::{
        LANES, padded,
        tests::{cases, levels},
    };
    use fearless_simd::dispatch;
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    /// Small whole numbers, of which sums are exact in any order.
    fn numbers(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3 + seed) % 11) as f32 - 5.0)
    }

    fn rows(matrix: &Array2<f32>) -> Rows<'_> {
        Rows { data: matrix.as_slice().expect("fresh arrays are contiguous"), stride: matrix.ncols() }
    }

    fn rows_mut(matrix: &mut Array2<f32>) -> RowsMut<'_> {
        let stride = matrix.ncols();
        RowsMut { data: matrix.as_slice_mut().expect("fresh arrays are contiguous"), stride }
    }

    proptest! {
        #![proptest_config(cases(60))]

        #[test]
        fn sums_are_weighted(results in 1..14_usize, vectors in 1..8_usize, terms in 0..9_usize, seed in 0..11_usize) {
            let width = vectors * LANES;
            let (weights, of_terms) = (numbers(results, terms + 1, seed), numbers(terms + 1, width, seed + 1));
            let product = weights.slice(s![.., ..terms]).dot(&of_terms.slice(s![..terms, ..]));
            let held = numbers(results, width, seed + 2);
            let column = 2;
            let mut transposed = Array2::zeros((terms + 1, results + column));
            transposed.slice_mut(s![.., column..]).assign(&weights.t());
            for level in levels() {
                for (start, expected) in [(Start::Zero, product.clone()), (Start::Held, &product + &held)] {
                    let both = [Weights::Straight(rows(&weights)), Weights::Transposed(rows(&transposed), column)];
                    for weights in both {
                        let mut found = held.clone();
                        let mut out = rows_mut(&mut found);
                        dispatch!(level.level(), simd => weighted_sums(
                            simd, &mut out, start, results, width, weights, rows(&of_terms), terms
                        ));
                        prop_assert_eq!(&found, &expected, "{:?}", level);
                    }
                }
            }
        }

        #[test]
        fn dot_products_are_dots(count in 1..14_usize, columns in 1..14_usize, vectors in 1..8_usize, seed in 0..11_usize) {
            let width = vectors * LANES;
            let (a, b) = (numbers(count, width, seed), numbers(columns, width, seed + 1));
            for level in levels() {
                let mut found = Array2::zeros((count, padded(columns)));
                let mut out = rows_mut(&mut found);
                dispatch!(level.level(), simd => dot_products(simd, &mut out, rows(&a), count, rows(&b), columns, width));
                prop_assert_eq!(found.slice(s![.., ..columns]), a.dot(&b.t()), "{:?}", level);
            }
        }

        #[test]
        fn runs_cover_everything_evenly(total in 0..100_usize, most in 1..9_usize) {
            let runs: Vec<_> = runs(total, most).collect();
            prop_assert_eq!(runs.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..total).collect::<Vec<_>>());
            let lengths = || runs.iter().map(ExactSizeIterator::len);
            prop_assert!(lengths().max().unwrap_or(0) - lengths().min().unwrap_or(0) <= 1);
            prop_assert_eq!(runs.len(), total.div_ceil(most));
        }
    }
}
