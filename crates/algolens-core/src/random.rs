//! Where randomness comes from: one Mersenne Twister per purpose, and no other source.

use rand_mt::Mt;
use sha2::{Digest, Sha256};

/// The 32-bit Mersenne Twister (MT19937) that PyTorch's CPU generator uses.
pub type Twister = Mt;

/// The generator that a *dataset seed* means: the one `torch.manual_seed(seed)` starts.
pub fn from_dataset_seed(seed: u32) -> Twister {
    Mt::new(seed)
}

/// A generator for one purpose of a training run (`"train"`, `"init"`, `"shuffle/3"`, …).
///
/// The state is filled from SHA-256 of the purpose and the seed (MT19937's initialisation by array), so streams of
/// different purposes are unrelated and none is the stream of a dataset seed.
pub fn stream(seed: u64, purpose: &str) -> Twister {
    let digest = hash(seed, purpose).finalize();
    let (words, _) = digest.as_chunks::<4>();
    Mt::new_with_key(words.iter().map(|word| u32::from_le_bytes(*word)))
}

/// A number that a seed, a purpose and some bytes give: the first eight bytes of their SHA-256.
pub fn digest(seed: u64, purpose: &str, bytes: impl IntoIterator<Item = u8>) -> u64 {
    let bytes: Vec<u8> = bytes.into_iter().collect();
    let digest = hash(seed, purpose).chain_update(bytes).finalize();
    digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn hash(seed: u64, purpose: &str) -> Sha256 {
    Sha256::new().chain_update(b"algolens/").chain_update(purpose).chain_update(seed.to_le_bytes())
}

/// A float32 uniform in [0, 1) as PyTorch's CPU generator draws it: the low 24 bits of the next output.
pub fn uniform24(rng: &mut Twister) -> f32 {
    const BITS: u32 = 24;
    // 24 bits fit an f32's mantissa: the conversion is exact.
    (rng.next_u32() & ((1 << BITS) - 1)) as f32 / (1 << BITS) as f32
}

/// A whole number uniform in 0..`n`, up to a bias of n / 2³²; 0 for n = 0.
pub fn below(rng: &mut Twister, n: u32) -> u32 {
    ((u64::from(rng.next_u32()) * u64::from(n)) >> 32) as u32
}

/// A whole number uniform in 0..`n`, without bias; 0 for n = 0.
pub fn below_u128(rng: &mut Twister, n: u128) -> u128 {
    let Some(largest) = n.checked_sub(1) else { return 0 };
    let unused = largest.leading_zeros();
    loop {
        let words = (0..4).fold(0, |number, _| number << 32 | u128::from(rng.next_u32()));
        // At least every second time.
        match words.checked_shr(unused) {
            None => return 0,
            Some(number) if number <= largest => return number,
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_below_a_bound_are_all_drawn_alike() {
        let mut rng = stream(3, "test");
        let mut counts = [0_i32; 7];
        (0..70_000).for_each(|_| counts[below(&mut rng, 7) as usize] += 1);
        // Each is 10 000 within five standard deviations (93 each).
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 465), "{counts:?}");
    }

    #[test]
    fn large_numbers_below_a_bound_are_all_drawn_alike() {
        let mut rng = stream(4, "test");
        let third = u128::MAX / 3;
        let mut counts = [0_i32; 3];
        (0..30_000).for_each(|_| counts[(below_u128(&mut rng, 3 * third) / third) as usize] += 1);
        // Each is 10 000 within five standard deviations (82 each).
        assert!(counts.iter().all(|count| (count - 10_000).abs() < 410), "{counts:?}");
        let small: std::collections::BTreeSet<u128> = (0..200).map(|_| below_u128(&mut rng, 5)).collect();
        assert!(small.into_iter().eq(0..5));
        assert_eq!([0, 1].map(|n| below_u128(&mut rng, n)), [0, 0]);
    }

    #[test]
    fn streams_differ_by_purpose_and_seed_and_from_dataset_seeds() {
        let first = |mut rng: Twister| [rng.next_u32(), rng.next_u32()];
        let mut seen = vec![first(stream(0, "train")), first(stream(0, "init")), first(stream(1, "train"))];
        seen.extend((0..100).map(|seed| first(from_dataset_seed(seed))));
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
    }
}
