//! What a model is scored on.

use super::groups::sequences_per_group;
use crate::task::{Dataset, TargetsView, Token};
use ndarray::{ArrayView2, s};

/// Sequences, and what is right at the predicted positions of each.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// `[batch, pos]`.
    pub tokens: ArrayView2<'a, Token>,
    /// What is right at each prediction, and what it counts, `[batch, predicted position]`.
    pub targets: TargetsView<'a>,
    /// The positions that are predicted.
    pub positions: &'a [usize],
}

impl<'a> From<&'a Dataset> for Batch<'a> {
    fn from(data: &'a Dataset) -> Self {
        Self { tokens: data.tokens(), targets: data.targets(), positions: data.positions() }
    }
}

impl<'a> Batch<'a> {
    /// The shares of groups that run in parallel.
    pub(super) fn shares(self, groups: usize) -> impl Iterator<Item = Batch<'a>> {
        self.chunks(sequences_per_group(self.tokens.nrows(), groups))
    }

    /// The batch, this many sequences at a time.
    pub(super) fn chunks(self, chunk: usize) -> impl Iterator<Item = Batch<'a>> {
        let sequences = self.tokens.nrows();
        (0..sequences).step_by(chunk).map(move |from| self.slice(from, (from + chunk).min(sequences)))
    }

    /// Examples `from..to` of the batch.
    pub fn slice(&self, from: usize, to: usize) -> Batch<'a> {
        let Self { tokens, targets, positions } = *self;
        Batch { tokens: tokens.slice_move(s![from..to, ..]), targets: targets.slice(from, to), positions }
    }
}
