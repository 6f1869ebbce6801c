//! Products of small matrices that stay in a core's registers: a *tile* of the result is summed up whole before it is
//! written. Where matrices are large, `matmul` is the better tool.
//!
//! Tiles are read by pointers, once it is checked that all of their rows and columns are there.

mod dots;
mod sums;

pub use dots::{DOTS, dot_products};
pub use sums::weighted_sums;

use super::vector::{load, store};
use fearless_simd::prelude::*;
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

    /// Whether every row below `rows` has every column below `columns`.
    #[inline(always)]
    pub fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || (rows - 1)
                .checked_mul(self.stride)
                .is_some_and(|last| last.checked_add(columns).is_some_and(|end| end <= self.data.len()))
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
    /// The numbers of `row` from column 0 on, and whatever follows it.
    #[inline(always)]
    pub fn row(&mut self, row: usize) -> &mut [f32] {
        &mut self.data[row * self.stride..]
    }
}

/// Rows that sums and products are made of; one may be kept otherwise than as numbers side by side.
///
/// # Safety
/// Where [`holds`](Self::holds) is true of `rows` and `columns`, the vectors of every row below `rows` can be read from
/// all columns below `columns`, as long as `self` is borrowed.
pub unsafe trait RowSource: Copy {
    /// Where a row is read.
    type Place: Copy;

    /// Whether every row below `rows` has every column below `columns`.
    fn holds(self, rows: usize, columns: usize) -> bool;

    /// Column `column` of row `row`.
    ///
    /// # Safety
    /// It `holds` them.
    unsafe fn place(self, row: usize, column: usize) -> Self::Place;

    /// The vector that starts `at` numbers behind a place.
    ///
    /// # Safety
    /// The source of the place `holds` all of the vector's columns.
    unsafe fn vector<S: Simd>(simd: S, place: Self::Place, at: usize) -> S::f32s;
}

// SAFETY: `holds` compares the last row's last column with the numbers that there are.
unsafe impl RowSource for Rows<'_> {
    type Place = *const f32;

    #[inline(always)]
    fn holds(self, rows: usize, columns: usize) -> bool {
        Rows::holds(&self, rows, columns)
    }

    #[inline(always)]
    unsafe fn place(self, row: usize, column: usize) -> *const f32 {
        // SAFETY: the caller's, within `data`.
        unsafe { self.data.as_ptr().add(row * self.stride + column) }
    }

    #[inline(always)]
    unsafe fn vector<S: Simd>(simd: S, place: *const f32, at: usize) -> S::f32s {
        // SAFETY: the caller's, within `data`.
        unsafe { load(simd, place.add(at)) }
    }
}

/// Where sums start from, and where they go.
///
/// # Safety
/// Where [`holds`](Self::holds) is true of `rows` and `columns`, sums of every row below `rows` and of whole vectors below
/// `columns` can be started and put, as long as `self` is borrowed.
pub unsafe trait Accumulator {
    /// Whether there is every row below `rows`, with every column below `columns`.
    fn holds(&self, rows: usize, columns: usize) -> bool;

    /// What the vectors of a row, from a column on, start from.
    ///
    /// # Safety
    /// It `holds` them.
    unsafe fn start<S: Simd, const N: usize>(&self, simd: S, row: usize, column: usize) -> [S::f32s; N];

    /// Takes what they have become.
    ///
    /// # Safety
    /// It `holds` them.
    unsafe fn put<S: Simd, const N: usize>(&mut self, simd: S, row: usize, column: usize, sums: &[S::f32s; N]);
}

/// Accumulator that start from zero replace what the rows held.
// SAFETY: `holds` compares the last row's last column with the numbers that there are.
unsafe impl Accumulator for RowsMut<'_> {
    #[inline(always)]
    fn holds(&self, rows: usize, columns: usize) -> bool {
        Rows { data: self.data, stride: self.stride }.holds(rows, columns)
    }

    #[inline(always)]
    unsafe fn start<S: Simd, const N: usize>(&self, simd: S, _: usize, _: usize) -> [S::f32s; N] {
        [S::f32s::splat(simd, 0.0); N]
    }

    #[inline(always)]
    unsafe fn put<S: Simd, const N: usize>(&mut self, _: S, row: usize, column: usize, sums: &[S::f32s; N]) {
        for (at, sum) in sums.iter().enumerate() {
            // SAFETY: the caller's, within `data`.
            unsafe { store::<S>(*sum, self.data.as_mut_ptr().add(row * self.stride + column + at * S::f32s::LEN)) };
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

impl Weights<'_> {
    /// Whether there is a weight of every term below `terms` in every result below `results`.
    #[inline(always)]
    fn hold(&self, results: usize, terms: usize) -> bool {
        match self {
            Self::Straight(rows) => rows.holds(results, terms),
            Self::Transposed(rows) => rows.holds(terms, results),
        }
    }

    /// The weight of the first term in the first result; from a result to the next, and from a term to the next.
    #[inline(always)]
    fn steps(&self) -> (*const f32, usize, usize) {
        match self {
            Self::Straight(rows) => (rows.data.as_ptr(), rows.stride, 1),
            Self::Transposed(rows) => (rows.data.as_ptr(), 1, rows.stride),
        }
    }
}

/// Whether there are 32 vector registers, and not 16.
const fn many_registers<S: Simd>() -> bool {
    S::f32s::LEN == 16 || cfg!(target_arch = "aarch64")
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

/// The same places, of which the compiler does not know that they are parts of one matrix. It would read all of them at once,
/// for which there are no registers left.
#[inline(always)]
fn unrelated<P>(places: P) -> P {
    std::hint::black_box(places)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::vector::tests::cases;
    use ndarray::Array2;
    use proptest::prelude::*;

    /// Small whole numbers, of which sums are exact in any order.
    pub fn numbers(rows: usize, columns: usize, seed: usize) -> Array2<f32> {
        Array2::from_shape_fn((rows, columns), |(i, j)| ((i * 7 + j * 3 + seed) % 11) as f32 - 5.0)
    }

    pub fn rows(matrix: &Array2<f32>) -> Rows<'_> {
        Rows { data: matrix.as_slice().expect("fresh arrays are contiguous"), stride: matrix.ncols() }
    }

    pub fn rows_mut(matrix: &mut Array2<f32>) -> RowsMut<'_> {
        let stride = matrix.ncols();
        RowsMut { data: matrix.as_slice_mut().expect("fresh arrays are contiguous"), stride }
    }

    /// Where a panic can be caught.
    #[cfg(panic = "unwind")]
    mod caught {
        use super::*;
        use crate::{
            dispatch,
            engine::{Vectors, vector::LANES},
        };
        use std::iter::once;

        proptest! {
            #![proptest_config(cases(60))]

            /// Pointers go no further than what was checked.
            #[test]
            fn matrices_that_are_not_there_are_refused(lacking in 0..4_usize) {
                const ROWS: usize = 3;
                let all = numbers(ROWS, LANES, 0);
                let short = numbers(ROWS - 1, LANES, 0);
                let matrix = |at: usize| if lacking == at { &short } else { &all };
                let product = || {
                    let mut found = matrix(0).clone();
                    let mut out = rows_mut(&mut found);
                    let pair = (Weights::Straight(rows(matrix(1))), rows(matrix(2)));
                    dispatch!(Vectors::scalar(), simd => weighted_sums(simd, &mut out, 0..ROWS, 0..LANES, once(pair), 0..ROWS));
                };
                prop_assert_eq!(std::panic::catch_unwind(product).is_err(), lacking < 3);
                let dots = || {
                    let mut found = all.clone();
                    let (mut out, [a, b]) = (rows_mut(&mut found), [matrix(0), matrix(1)].map(rows));
                    dispatch!(Vectors::scalar(), simd => dot_products(simd, &mut out, a, 0..ROWS, b, ROWS, LANES));
                };
                prop_assert_eq!(std::panic::catch_unwind(dots).is_err(), lacking < 2);
            }
        }
    }

    proptest! {
        #![proptest_config(cases(60))]

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
