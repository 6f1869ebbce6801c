//! Numbers looked up in tables.

use super::LANES;
use fearless_simd::prelude::*;
#[cfg(target_arch = "x86_64")]
use fearless_simd::{f32x16, u32x16};

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

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{cases, levels},
        *,
    };
    use crate::dispatch;
    use proptest::prelude::*;

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
