//! Independent pieces of work on several threads, or on one where there are none.

use crate::model::Config;

/// The groups that a batch is cut into, at most. Fixed, so that sums are made in the same order on any number of threads.
pub(super) const GROUPS: usize = 16;

/// The groups that gradients are summed in, at most. Each has sums of its own, which cost as much to clear and to add up
/// as some lists cost to learn from.
pub(super) const LEARNING_GROUPS: usize = GROUPS / 2;

/// Lists of each group when there are this many groups; the last may have fewer.
pub(super) fn lists_per_group(lists: usize, groups: usize) -> usize {
    lists.div_ceil(groups).max(1)
}

/// Lists in a chunk, at most: few enough that the activations of a toy model stay in a core's L2 cache.
pub(super) fn lists_per_chunk(config: &Config, seq: usize) -> usize {
    const MOST_LISTS: usize = 16;
    const MOST_NUMBERS: u128 = 1 << 24;
    let most = MOST_NUMBERS / config.activations(seq).max(1);
    usize::try_from(most).map_or(MOST_LISTS, |lists| lists.clamp(1, MOST_LISTS))
}

/// sum ← the sum of the parts, in their order; shares of it in parallel.
pub(super) fn sum(sum: &mut [f32], parts: Vec<&[f32]>) {
    const SHARE: usize = 4096;
    for_each(sum.chunks_mut(SHARE).enumerate().collect(), |(share, sum): (usize, &mut [f32])| {
        sum.fill(0.0);
        for part in &parts {
            sum.iter_mut().zip(&part[share * SHARE..]).for_each(|(sum, number)| *sum += number);
        }
    });
}

/// Runs `work` on one of the threads that [`for_each`] uses: the caller waits once for all of it, not once for each part.
#[cfg(feature = "parallel")]
pub(super) fn enter<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    rayon::scope(|_| work())
}

/// Runs `work`.
#[cfg(not(feature = "parallel"))]
pub(super) fn enter<R>(work: impl FnOnce() -> R) -> R {
    work()
}

/// Calls `work` on every piece.
#[cfg(feature = "parallel")]
pub(crate) fn for_each<P: Send>(pieces: Vec<P>, work: impl Fn(P) + Send + Sync) {
    use rayon::prelude::*;
    pieces.into_par_iter().for_each(work);
}

/// Calls `work` on every piece.
#[cfg(not(feature = "parallel"))]
pub(crate) fn for_each<P>(pieces: Vec<P>, work: impl Fn(P)) {
    pieces.into_iter().for_each(work);
}
