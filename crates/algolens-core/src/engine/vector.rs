//! Vectors of f32: what `fearless_simd` lacks.
//!
//! Kernels are written once, for any [`Simd`] token; [`dispatch!`](crate::dispatch) compiles them for every level and takes
//! the one that runs. Rows that kernels walk are padded to [`LANES`] numbers, a whole number of vectors at each level.

use aligned_vec::{AVec, ConstAlign, avec};
use fearless_simd::prelude::*;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{f32x16, u32x16};

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

/// lanes ← lanes + vector.
#[inline(always)]
pub fn add_to<S: Simd>(simd: S, lanes: &mut [f32], vector: S::f32s) {
    (get(simd, lanes) + vector).store_slice(lanes);
}

/// The largest lane of a row.
#[inline(always)]
pub fn max_of<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let mut max = S::f32s::splat(simd, f32::NEG_INFINITY);
    for x in lanes::<S>(row) {
        max = max.max(get(simd, x));
    }
    max.reduce_max()
}

/// a · b of two rows.
#[inline(always)]
pub fn dot<S: Simd>(simd: S, a: &[f32], b: &[f32]) -> f32 {
    let mut sum = S::f32s::splat(simd, 0.0);
    for (a, b) in lanes::<S>(a).beside(lanes::<S>(b)) {
        sum = get(simd, a).mul_add(get(simd, b), sum);
    }
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
    for x in lanes_mut::<S>(row) {
        let power = exp(simd, get(simd, x) - minus);
        sum += power;
        power.store_slice(x);
    }
    sum.reduce_sum()
}

/// Multiplies a row by a number.
#[inline(always)]
pub fn scale_row<S: Simd>(simd: S, row: &mut [f32], factor: f32) {
    for x in lanes_mut::<S>(row) {
        (get(simd, x) * factor).store_slice(x);
    }
}

/// row ← row + factor · x.
#[inline(always)]
pub fn add_scaled<S: Simd>(simd: S, row: &mut [f32], x: &[f32], factor: f32) {
    let factor = S::f32s::splat(simd, factor);
    for (row, x) in lanes_mut::<S>(row).beside(lanes::<S>(x)) {
        get(simd, x).mul_add(factor, get(simd, row)).store_slice(row);
    }
}

/// Entries of a table of at most this many are looked up without a loop where the instructions can.
pub const LOOKUP: usize = 4 * LANES;

/// out\[i\] ← table\[indices\[i\]\]; the table has at least [`LOOKUP`] numbers, of which the first `entries` are meant. Indices are
/// below `entries`, as many as numbers in `out`, and whole runs of [`LANES`].
#[inline(always)]
pub fn look_up<S: Simd>(simd: S, table: &[f32], entries: usize, indices: &[u32], out: &mut [f32]) {
    #[cfg(target_arch = "x86_64")]
    if let (Some(avx512), true) = (simd.level().as_avx512(), entries <= LOOKUP) {
        return look_up_in_registers(avx512, table, indices, out);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (simd, entries);
    for (out, index) in out.iter_mut().zip(indices) {
        *out = table[*index as usize];
    }
}

#[cfg(target_arch = "x86_64")]
fearless_simd::kernel!(
    #[inline]
    fn look_up_in_registers(avx512: Avx512, table: &[f32], indices: &[u32], out: &mut [f32]) {
        use std::arch::x86_64::*;
        let mut quarters = [_mm512_setzero_ps(); 4];
        for (quarter, numbers) in quarters.iter_mut().zip(table.chunks_exact(LANES)) {
            *quarter = f32x16::from_slice(avx512, numbers).into();
        }
        let [a, b, c, d] = quarters;
        for (out, indices) in out.chunks_exact_mut(LANES).zip(indices.chunks_exact(LANES)) {
            let indices: __m512i = u32x16::from_slice(avx512, indices).into();
            let (low, high) = (_mm512_permutex2var_ps(a, indices, b), _mm512_permutex2var_ps(c, indices, d));
            let in_high = _mm512_test_epi32_mask(indices, _mm512_set1_epi32(2 * LANES as i32));
            let found: f32x16<_> = _mm512_mask_blend_ps(in_high, low, high).simd_into(avx512);
            found.store_slice(out);
        }
    }
);

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
    let block_sums = firsts + seconds;
    let mut sums = [0.0; 4];
    for block in block_sums.as_slice().chunks_exact(4) {
        sums.iter_mut().zip(block).for_each(|(sum, part)| *sum += part);
    }
    sums
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

    proptest! {
        #![proptest_config(cases(50))]

        #[test]
        fn tables_are_looked_up(entries in 1..=100_usize, seed in any::<u32>()) {
            let table: Vec<f32> = (0..entries.max(LOOKUP)).map(|at| at as f32 + 0.5).collect();
            let indices: Vec<u32> = (0..2 * LANES as u32).map(|at| (seed / 2 + 37 * at) % entries as u32).collect();
            for level in levels() {
                let mut found = vec![0.0; indices.len()];
                dispatch!(level, simd => look_up(simd, &table, entries, &indices, &mut found));
                let right = found.iter().zip(&indices).all(|(found, at)| *found == *at as f32 + 0.5);
                prop_assert!(right, "{:?}: {:?} {:?}", level, found, indices);
            }
        }
    }
}
