//! Independent pieces of work on several threads, or on one where there are none.

/// The groups that a batch is cut into, at most. Fixed, so that sums are made in the same order on any number of threads.
pub(super) const GROUPS: usize = 16;

/// Lists of each group when there are this many groups; the last may have fewer.
pub(super) fn lists_per_group(lists: usize, groups: usize) -> usize {
    lists.div_ceil(groups).max(1)
}

/// Calls `work` on every piece.
#[cfg(feature = "parallel")]
pub(super) fn for_each<P: Send>(pieces: Vec<P>, work: impl Fn(P) + Send + Sync) {
    use rayon::prelude::*;
    pieces.into_par_iter().for_each(work);
}

/// Calls `work` on every piece.
#[cfg(not(feature = "parallel"))]
pub(super) fn for_each<P>(pieces: Vec<P>, work: impl Fn(P)) {
    pieces.into_iter().for_each(work);
}
