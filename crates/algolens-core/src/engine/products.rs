//! Products of small matrices that stay in a core's registers: a *tile* of the result is summed up whole before it is
//! written. Where matrices are large, `matmul` is the better tool.

use super::vector::{Beside, get, lanes_mut, sums_of_four};
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

/// Rows that sums and products are made of; one may be kept otherwise than as numbers side by side.
pub trait RowSource: Copy {
    /// What columns of one row are read from.
    type Row: Copy;

    /// These columns of `row`.
    fn columns(self, row: usize, columns: Range<usize>) -> Self::Row;

    /// The vector that starts `at` the columns' first plus this.
    fn vector<S: Simd>(simd: S, columns: Self::Row, at: usize) -> S::f32s;
}

impl<'a> RowSource for Rows<'a> {
    type Row = &'a [f32];

    #[inline(always)]
    fn columns(self, row: usize, columns: Range<usize>) -> &'a [f32] {
        &self.row(row)[columns]
    }

    #[inline(always)]
    fn vector<S: Simd>(simd: S, columns: &'a [f32], at: usize) -> S::f32s {
        get(simd, &columns[at..at + S::f32s::LEN])
    }
}

/// Where sums start from, and where they go.
pub trait Accumulator {
    /// What the vectors of a row, from a column on, start from.
    fn start<S: Simd, const N: usize>(&self, simd: S, row: usize, column: usize) -> [S::f32s; N];

    /// Takes what they have become.
    fn put<S: Simd, const N: usize>(&mut self, simd: S, row: usize, column: usize, sums: &[S::f32s; N]);
}

/// Accumulator that start from zero replace what the rows held.
impl Accumulator for RowsMut<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, _: usize, _: usize) -> [S::f32s; N] {
        [S::f32s::splat(simd, 0.0); N]
    }

    #[inline(always)]
    fn put<S: Simd, const N: usize>(&mut self, _: S, row: usize, column: usize, sums: &[S::f32s; N]) {
        for (sum, out) in sums.iter().beside(lanes_mut::<S>(&mut self.row(row)[column..])) {
            sum.store_slice(out);
        }
    }
}

/// How a matrix of weights is read.
#[derive(Clone, Copy)]
pub enum Weights<'a> {
    /// The weight of term k in result i stands at row i, column k.
    Straight(Rows<'a>),
    /// The weight of term k in result i stands at row k, column i.
    Transposed(Rows<'a>),
}

/// The largest tile, in rows and vectors, that leaves registers for what is multiplied.
const fn largest_tile<S: Simd>() -> (usize, usize) {
    if S::f32s::LEN == 16 { (5, 5) } else { (4, 3) }
}

/// The most rows of a tile of dot products.
const fn highest_dots<S: Simd>() -> usize {
    if S::f32s::LEN == 16 { 5 } else { 2 }
}

/// `total` cut into the fewest runs of at most `most`, as even as they can be, longer ones first.
#[inline(always)]
pub fn runs(total: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    let count = total.div_ceil(most);
    let (length, longer) = (total / count.max(1), total % count.max(1));
    let start = move |run: usize| run * length + run.min(longer);
    (0..count).map(
        #[inline(always)]
        move |run| start(run)..start(run + 1),
    )
}

/// Calls `$kernel::<S, T, O, P, rows, vectors>` for a tile of at most [`largest_tile`]; others are not compiled.
macro_rules! with_tile {
    ($rows:expr, $vectors:expr, $kernel:ident $arguments:tt) => {
        match $rows {
            1 => with_tile!(@ 1, $vectors, $kernel $arguments),
            2 => with_tile!(@ 2, $vectors, $kernel $arguments),
            3 if const { largest_tile::<S>().0 >= 3 } => with_tile!(@ 3, $vectors, $kernel $arguments),
            4 if const { largest_tile::<S>().0 >= 4 } => with_tile!(@ 4, $vectors, $kernel $arguments),
            5 if const { largest_tile::<S>().0 >= 5 } => with_tile!(@ 5, $vectors, $kernel $arguments),
            _ => unreachable!("no tile is higher"),
        }
    };
    (@ $rows:literal, $vectors:expr, $kernel:ident $arguments:tt) => {
        match $vectors {
            1 => $kernel::<S, T, O, P, $rows, 1> $arguments,
            2 => $kernel::<S, T, O, P, $rows, 2> $arguments,
            3 if const { largest_tile::<S>().1 >= 3 } => $kernel::<S, T, O, P, $rows, 3> $arguments,
            4 if const { largest_tile::<S>().1 >= 4 } => $kernel::<S, T, O, P, $rows, 4> $arguments,
            5 if const { largest_tile::<S>().1 >= 5 } => $kernel::<S, T, O, P, $rows, 5> $arguments,
            _ => unreachable!("no tile is wider"),
        }
    };
}

/// Result i ← start + Σ weight(i, k) · row k over all pairs of weights and rows and these terms k, for these results and
/// columns (whole vectors).
#[simd]
pub fn weighted_sums<'a, S: Simd, T: RowSource, O: Accumulator, P: Iterator<Item = (Weights<'a>, T)> + Clone>(
    simd: S,
    out: &mut O,
    results: Range<usize>,
    columns: Range<usize>,
    pairs: P,
    terms: Range<usize>,
) {
    let (high, wide) = largest_tile::<S>();
    for vectors in runs(columns.len() / S::f32s::LEN, wide) {
        let [start, end] = [vectors.start, vectors.end].map(|vector| columns.start + vector * S::f32s::LEN);
        for tile in runs(results.len(), high) {
            let first = results.start + tile.start;
            with_tile!(
                tile.len(),
                vectors.len(),
                weighted_sums_tile(simd, out, first, start..end, pairs.clone(), terms.clone())
            );
        }
    }
}

#[simd]
fn weighted_sums_tile<
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
    columns: Range<usize>,
    pairs: P,
    terms: Range<usize>,
) {
    let mut sums = [[S::f32s::splat(simd, 0.0); N]; M];
    for (i, sums) in sums.iter_mut().enumerate() {
        *sums = out.start(simd, first + i, columns.start);
    }
    for (weights, rows) in pairs {
        match weights {
            Weights::Straight(weights) => {
                let mut weight_rows = [&weights.data[..0]; M];
                for (i, weight_rows) in weight_rows.iter_mut().enumerate() {
                    *weight_rows = &weights.row(first + i)[..terms.end];
                }
                // Unless the compiler takes the rows for unrelated, it loads all weights of a term at once, for which there are
                // no registers left.
                let weight_rows = std::hint::black_box(weight_rows);
                for k in terms.clone() {
                    let row = rows.columns(k, columns.clone());
                    add_term::<S, T, M, N>(
                        simd,
                        &mut sums,
                        #[inline(always)]
                        |i| weight_rows[i][k],
                        row,
                    );
                }
            }
            Weights::Transposed(weights) => {
                for k in terms.clone() {
                    let weight =
                        weights.row(k)[first..].first_chunk::<M>().expect("a weight for every row of the tile");
                    let row = rows.columns(k, columns.clone());
                    add_term::<S, T, M, N>(
                        simd,
                        &mut sums,
                        #[inline(always)]
                        |i| weight[i],
                        row,
                    );
                }
            }
        }
    }
    for (i, sums) in sums.iter().enumerate() {
        out.put(simd, first + i, columns.start, sums);
    }
}

/// Sum i ← sum i + weight i · row.
#[inline(always)]
fn add_term<S: Simd, T: RowSource, const M: usize, const N: usize>(
    simd: S,
    sums: &mut [[S::f32s; N]; M],
    weight: impl Fn(usize) -> f32,
    row: T::Row,
) {
    let mut vectors = [S::f32s::splat(simd, 0.0); N];
    for (at, vector) in vectors.iter_mut().enumerate() {
        *vector = T::vector(simd, row, at * S::f32s::LEN);
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

/// Result (i, j) ← row i of a · row j of b, over `width` numbers (whole vectors), for these rows of a and the first
/// `columns` rows of b.
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
    for column in (0..columns).step_by(DOTS) {
        for tile in runs(rows.len(), highest_dots::<S>()) {
            let first = rows.start + tile.start;
            match tile.len() {
                1 => dots_tile::<S, T, 1>(simd, out, a, first, b, column, columns, width),
                2 => dots_tile::<S, T, 2>(simd, out, a, first, b, column, columns, width),
                3 if const { highest_dots::<S>() >= 3 } => {
                    dots_tile::<S, T, 3>(simd, out, a, first, b, column, columns, width)
                }
                4 if const { highest_dots::<S>() >= 4 } => {
                    dots_tile::<S, T, 4>(simd, out, a, first, b, column, columns, width)
                }
                5 if const { highest_dots::<S>() >= 5 } => {
                    dots_tile::<S, T, 5>(simd, out, a, first, b, column, columns, width)
                }
                _ => unreachable!("no tile is higher"),
            }
        }
    }
}

#[simd]
#[expect(clippy::too_many_arguments, reason = "two matrices, the tile's place and its size")]
fn dots_tile<S: Simd, T: RowSource, const M: usize>(
    simd: S,
    out: &mut RowsMut<'_>,
    a: Rows<'_>,
    first: usize,
    b: T,
    column: usize,
    columns: usize,
    width: usize,
) {
    let mut b_rows = [b.columns(column, 0..width); DOTS];
    for (j, row) in b_rows.iter_mut().enumerate() {
        *row = b.columns((column + j).min(columns - 1), 0..width);
    }
    let mut a_rows = [&a.data[..0]; M];
    for (i, row) in a_rows.iter_mut().enumerate() {
        *row = &a.row(first + i)[..width];
    }
    let mut sums = [[S::f32s::splat(simd, 0.0); DOTS]; M];
    for at in (0..width).step_by(S::f32s::LEN) {
        let mut b_vectors = [S::f32s::splat(simd, 0.0); DOTS];
        for j in 0..DOTS {
            b_vectors[j] = T::vector(simd, b_rows[j], at);
        }
        for i in 0..M {
            let a_vector = get(simd, &a_rows[i][at..at + S::f32s::LEN]);
            for j in 0..DOTS {
                sums[i][j] = a_vector.mul_add(b_vectors[j], sums[i][j]);
            }
        }
    }
    for (i, sums) in sums.into_iter().enumerate() {
        out.row(first + i)[column..column + DOTS].copy_from_slice(&sums_of_four(simd, sums));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch;
    use crate::engine::vector::{
        LANES, padded,
        tests::{cases, levels},
    };
    use ndarray::{Array2, s};
    use proptest::prelude::*;
    use std::iter::once;

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

        #[test]
        fn runs_cover_everything_evenly(total in 0..100_usize, most in 1..9_usize) {
            let runs: Vec<_> = runs(total, most).collect();
            prop_assert_eq!(runs.iter().flat_map(Clone::clone).collect::<Vec<_>>(), (0..total).collect::<Vec<_>>());
            let lengths: Vec<_> = runs.iter().map(ExactSizeIterator::len).collect();
            prop_assert!(lengths.iter().all(|length| *length <= lengths[0] && lengths[0] - length <= 1));
            prop_assert_eq!(runs.len(), total.div_ceil(most));
        }
    }
}
