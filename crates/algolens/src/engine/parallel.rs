//! Independent pieces of work on several threads, or on one where there are none.

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
