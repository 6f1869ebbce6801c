//! Vectors of f32: what `fearless_simd` lacks.
//!
//! Kernels are written once, for any [`Simd`] token; [`dispatch!`](crate::dispatch) compiles them for every level and takes
//! the one that runs. Rows that kernels walk are padded to [`LANES`] numbers, a whole number of vectors at each level.

mod lookup;

pub use lookup::{LOOKUP, look_up};

use aligned_vec::{AVec, ConstAlign, avec};
use fearless_simd::prelude::*;

/// The widest vector; rows are padded to multiples of it.
pub const LANES: usize = 16;

/// Rows of numbers that start where vectors load fastest: at multiples of 64 bytes, the widest vector and cache line.
pub type Numbers = AVec<f32, ConstAlign<64>>;

/// As many times the same number.
pub fn numbers(count: usize, number: f32) -> Numbers {
    avec![[64]| number; count]
}

/// `width` rounded up to whole vectors.
pub const fn padded(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// A padded row, vector by vector.
#[inline(always)]
pub fn lanes<S: Simd>(row: &[f32]) -> std::slice::ChunksExact<'_, f32> {
    row.chunks_exact(S::f32s::LEN)
}

/// A padded row, vector by vector, to be written.
#[inline(always)]
pub fn lanes_mut<S: Simd>(row: &mut [f32]) -> std::slice::ChunksExactMut<'_, f32> {
    row.chunks_exact_mut(S::f32s::LEN)
}

/// Walks two things side by side, to the end of the shorter. As [`Iterator::zip`], which kernels of this size may not get
/// inlined.
pub trait Beside: Iterator + Sized {
    /// This one's items, each with the other's.
    #[inline(always)]
    fn beside<B: IntoIterator>(self, other: B) -> SideBySide<Self, B::IntoIter> {
        SideBySide(self, other.into_iter())
    }
}

impl<A: Iterator> Beside for A {}

/// What [`Beside::beside`] gives.
#[derive(Clone)]
pub struct SideBySide<A, B>(A, B);

impl<A: Iterator, B: Iterator> Iterator for SideBySide<A, B> {
    type Item = (A::Item, B::Item);

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.1.next()?))
    }
}

/// The vector of these lanes.
#[inline(always)]
pub fn get<S: Simd>(simd: S, lanes: &[f32]) -> S::f32s {
    S::f32s::from_slice(simd, lanes)
}

/// The vector that starts here.
///
/// # Safety
/// A vector's numbers can be read from here on.
#[inline(always)]
pub unsafe fn load<S: Simd>(simd: S, from: *const f32) -> S::f32s {
    // SAFETY: the caller's; what can be read is not at null.
    let lanes = unsafe {
        std::hint::assert_unchecked(!from.is_null());
        std::slice::from_raw_parts(from, S::f32s::LEN)
    };
    S::f32s::from_slice(simd, lanes)
}

/// Writes a vector's numbers from here on.
///
/// # Safety
/// They can be written.
#[inline(always)]
pub unsafe fn store<S: Simd>(vector: S::f32s, to: *mut f32) {
    // SAFETY: the caller's; what can be written is not at null.
    let lanes = unsafe {
        std::hint::assert_unchecked(!to.is_null());
        std::slice::from_raw_parts_mut(to, S::f32s::LEN)
    };
    vector.store_slice(lanes);
}

/// lanes ← lanes + vector.
#[inline(always)]
pub fn add_to<S: Simd>(simd: S, lanes: &mut [f32], vector: S::f32s) {
    (get(simd, lanes) + vector).store_slice(lanes);
}

/// Walks padded rows of one length side by side: calls `each(at, vectors)` for the vectors that start `at` numbers behind
/// the rows' starts.
///
/// # Panics
/// If lengths differ, or are not whole vectors.
#[inline(always)]
pub fn walk<S: Simd, const N: usize>(simd: S, rows: [&[f32]; N], mut each: impl FnMut(usize, [S::f32s; N])) {
    let width = rows.first().map_or(0, |row| row.len());
    assert!(rows.iter().all(|row| row.len() == width) && width.is_multiple_of(S::f32s::LEN), "rows of one width");
    for at in (0..width).step_by(S::f32s::LEN) {
        // SAFETY: asserted above: a vector starts here in every row.
        each(
            at,
            rows.map(
                #[inline(always)]
                |row| unsafe { load(simd, row.as_ptr().add(at)) },
            ),
        );
    }
}

/// Walks padded rows of one length side by side, of which the first are changed into what `each(at, changed, rows)` gives.
///
/// # Panics
/// As [`walk`].
#[inline(always)]
pub fn change<S: Simd, const M: usize, const N: usize>(
    simd: S,
    changed: [&mut [f32]; M],
    rows: [&[f32]; N],
    mut each: impl FnMut(usize, [S::f32s; M], [S::f32s; N]) -> [S::f32s; M],
) {
    let width = changed.first().map_or(0, |row| row.len());
    let same = changed.iter().all(|row| row.len() == width) && rows.iter().all(|row| row.len() == width);
    assert!(same && width.is_multiple_of(S::f32s::LEN), "rows of one width");
    let changed = changed.map(
        #[inline(always)]
        |row| row.as_mut_ptr(),
    );
    for at in (0..width).step_by(S::f32s::LEN) {
        // SAFETY: asserted above: a vector starts here in every row; those that are changed are borrowed by nobody else.
        unsafe {
            let before = changed.map(
                #[inline(always)]
                |row| load(simd, row.add(at)),
            );
            let after = each(
                at,
                before,
                rows.map(
                    #[inline(always)]
                    |row| load(simd, row.as_ptr().add(at)),
                ),
            );
            for (row, vector) in changed.into_iter().beside(after) {
                store::<S>(vector, row.add(at));
            }
        }
    }
}

/// The largest lane of a row.
#[inline(always)]
pub fn max_of<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut max = S::f32s::splat(simd, f32::NEG_INFINITY);
    walk(
        simd,
        [row],
        #[inline(always)]
        |_, [x]| max = max.max(x),
    );
    max.reduce_max()
}

/// a · b of two rows.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = S::f32s::splat(simd, 0.0);
    walk(
        simd,
        [a, b],
        #[inline(always)]
        |_, [a, b]| sum = a.mul_add(b, sum),
    );
    sum.reduce_sum()
}

/// |a + b|² of two rows of any length.
#[inline(always)]
pub fn square_of_sum<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = S::f32s::splat(simd, 0.0);
    for (a, b) in lanes::<S>(a).beside(lanes::<S>(b)) {
        let both = get(simd, a) + get(simd, b);
        sum = both.mul_add(both, sum);
    }
    let rest = lanes::<S>(a).remainder().iter().zip(lanes::<S>(b).remainder());
    sum.reduce_sum() + rest.map(|(a, b)| (a + b) * (a + b)).sum::<f32>()
}

/// Replaces a row by e to the power of each number less `minus`; their sum.
#[inline(always)]
pub fn exp_row<S: Simd>(simd: S, row: &mut [f32], minus: f32) -> f32 {
    let mut sum = S::f32s::splat(simd, 0.0);
    change(
        simd,
        [row],
        [],
        #[inline(always)]
        |_, [x], []| {
            let power = exp(simd, x - minus);
            sum += power;
            [power]
        },
    );
    sum.reduce_sum()
}

/// Multiplies a row by a number.
#[inline(always)]
pub fn scale_row<S: Simd>(simd: S, row: &mut [f32], factor: f32) {
    change(
        simd,
        [row],
        [],
        #[inline(always)]
        |_, [x], []| [x * factor],
    );
}

/// row ← row + factor · x.
#[inline(always)]
pub fn add_scaled<S: Simd>(simd: S, row: &mut [f32], x: &[f32], factor: f32) {
    let factor = S::f32s::splat(simd, factor);
    change(
        simd,
        [row],
        [x],
        #[inline(always)]
        |_, [row], [x]| [x.mul_add(factor, row)],
    );
}

/// eˣ, to 1.5e-7 of it; zero below −87, where f32 runs out of normal numbers; NaN of NaN.
///
/// x = n ln 2 + r with a whole n and |r| ≤ ½ ln 2; eʳ is its Taylor polynomial of degree 7, 2ⁿ is made of exponent bits.
#[inline(always)]
pub fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// The smallest x whose eˣ is a normal number.
    const LOWEST: f32 = -87.0;
    /// Adding it leaves a number's nearest whole one in the low bits of the sum.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts: the first has so few bits that its product with n is exact.
    const LN_2: (f32, f32) = (0.693_359_4, -2.121_944_4e-4);
    let one = S::f32s::splat(simd, 1.0);
    let lowest = S::f32s::splat(simd, LOWEST);
    let low = x.simd_lt(lowest);
    let in_range = low.select(lowest, x);
    let rounded = in_range.mul_add(S::f32s::splat(simd, std::f32::consts::LOG2_E), S::f32s::splat(simd, ROUND));
    let n = rounded - ROUND;
    let r = n.mul_add(S::f32s::splat(simd, -LN_2.0), in_range);
    let r = n.mul_add(S::f32s::splat(simd, -LN_2.1), r);
    let mut series = S::f32s::splat(simd, 1.0 / 5040.0);
    for factorial in [720.0, 120.0, 24.0, 6.0, 2.0] {
        series = series.mul_add(r, S::f32s::splat(simd, 1.0 / factorial));
    }
    let series = series.mul_add(r, one).mul_add(r, one);
    let exponent = (rounded.bitcast::<S::u32s>() << 23) + one.bitcast::<S::u32s>();
    let power = series * exponent.bitcast::<S::f32s>();
    low.select(S::f32s::splat(simd, 0.0), power)
}

/// The sums of four vectors.
#[inline(always)]
pub fn sums_of_four<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [f32; 4] {
    let (ac, bd) = (half_sums(simd, a, c), half_sums(simd, b, d));
    // Of every block of four lanes the first and third.
    let even = S::mask32s::from_bitmask(simd, 0x5555);
    let firsts = even.select(ac, bd.slide_within_blocks::<3>(bd));
    let seconds = even.select(ac.slide_within_blocks::<1>(ac), bd);
    let mut sums = firsts + seconds;
    if const { S::f32s::LEN > 8 } {
        sums += sums.slide::<8>(sums);
    }
    if const { S::f32s::LEN > 4 } {
        sums += sums.slide::<4>(sums);
    }
    *sums.as_slice().first_chunk().expect("a vector has four lanes")
}

/// In every block of four lanes: two numbers that sum up to `a`'s, then two that sum up to `b`'s.
#[inline(always)]
fn half_sums<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    let low = S::mask32s::from_bitmask(simd, 0x3333);
    low.select(a, b) + a.slide_within_blocks::<2>(b)
}

/// Lanes 0, 1, 2, … plus `first`.
#[inline(always)]
pub fn lanes_from<S: Simd>(simd: S, first: usize) -> S::f32s {
    S::f32s::from_fn(simd, |lane| lane as f32) + first as f32
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::{dispatch, engine::Vectors};
    use proptest::prelude::*;

    /// The levels that tests run at: all that there are, and under Miri the one that it can run.
    pub fn levels() -> Vec<Vectors> {
        if cfg!(miri) { vec![Vectors::scalar()] } else { Vectors::available() }
    }

    /// Proptest with few cases under Miri.
    pub fn cases(cases: u32) -> ProptestConfig {
        let cases = if cfg!(miri) { 4 } else { cases };
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
    }

    fn exponentials<S: Simd>(simd: S, row: &[f32]) -> Vec<f32> {
        let mut out = row.to_vec();
        exp_row(simd, &mut out, 0.0);
        out
    }

    #[test]
    fn exponentials_are_right_to_two_roundings() {
        let steps = if cfg!(miri) { 160 } else { 160_000 };
        let row: Vec<f32> = (0..steps).map(|at| 88.0 - 175.0 * at as f32 / steps as f32).collect();
        for level in levels() {
            let powers = dispatch!(level, simd => exponentials(simd, &row));
            for (x, power) in row.iter().zip(powers) {
                let exact = f64::from(*x).exp();
                let off = (f64::from(power) - exact).abs() / exact;
                assert!(off < 2e-7, "{level:?}: e^{x} = {exact:e}, found {power:e}");
            }
            let mut edges = [f32::NEG_INFINITY; LANES];
            edges[1..4].copy_from_slice(&[-1e30, -88.0, 0.0]);
            let powers = dispatch!(level, simd => exponentials(simd, &edges));
            assert_eq!(&powers[..5], [0.0, 0.0, 0.0, 1.0, 0.0], "{level:?}");
            let powers = dispatch!(level, simd => exponentials(simd, &[f32::NAN; LANES]));
            assert!(powers.iter().all(|power| power.is_nan()), "{level:?}: {powers:?}");
        }
    }

    fn four_sums<S: Simd>(simd: S, rows: [&[f32]; 4]) -> Vec<f32> {
        let vectors = rows.map(|row| get(simd, &row[..S::f32s::LEN]));
        sums_of_four(simd, vectors).to_vec()
    }

    /// Sum and difference of two rows, changed in place, and how far each vector is from the start.
    fn changes<S: Simd>(simd: S, [a, b]: [&mut [f32]; 2]) -> Vec<usize> {
        let mut starts = Vec::new();
        change(simd, [a, b], [], |at, [a, b], []| {
            starts.push(at);
            [a + b, a - b]
        });
        starts
    }

    #[test]
    fn rows_are_changed_side_by_side() {
        for level in levels() {
            let mut a: Vec<f32> = (0..2 * LANES).map(|at| at as f32).collect();
            let mut b: Vec<f32> = a.iter().map(|a| 2.0 * a).collect();
            let starts = dispatch!(level, simd => changes(simd, [&mut a, &mut b]));
            let lanes = dispatch!(level, simd => width(simd));
            assert_eq!(starts, (0..2 * LANES).step_by(lanes).collect::<Vec<_>>(), "{level:?}");
            assert!((0..2 * LANES).all(|at| a[at] == 3.0 * at as f32 && b[at] == -(at as f32)), "{level:?}");
        }
    }

    #[test]
    #[should_panic(expected = "rows of one width")]
    fn rows_of_two_widths_are_not_walked() {
        let (mut long, mut short) = (vec![0.0; 2 * LANES], vec![0.0; LANES]);
        dispatch!(Vectors::scalar(), simd => changes(simd, [&mut long, &mut short]));
    }

    fn width<S: Simd>(_: S) -> usize {
        S::f32s::LEN
    }

    #[test]
    fn four_vectors_are_summed_each_for_itself() {
        let rows: Vec<Vec<f32>> = (0..4).map(|i| (0..LANES).map(|j| (100 * i + j) as f32).collect()).collect();
        let rows: [&[f32]; 4] = std::array::from_fn(|i| &rows[i][..]);
        for level in levels() {
            let lanes = dispatch!(level, simd => width(simd));
            let expected: Vec<f32> = rows.iter().map(|row| row[..lanes].iter().sum()).collect();
            assert_eq!(dispatch!(level, simd => four_sums(simd, rows)), expected, "{level:?}");
        }
    }
}
