//! The fixed groups that a batch is cut into, so that sums are made in the same order on any number of threads.

use super::level::Vectors;
use crate::dispatch;
use crate::{model::Config, parallel::for_each, task::Token};
use fearless_simd::Simd;
use fearless_simd_macros::simd;
use ndarray::{ArrayView2, s};

/// The groups that a batch is cut into, at most. Fixed, so that sums are made in the same order on any number of threads.
pub(super) const GROUPS: usize = 16;

/// The groups that gradients are summed in, at most. Each has sums of its own, which cost as much to clear and to add up
/// as some sequences cost to learn from.
pub(super) const LEARNING_GROUPS: usize = GROUPS / 2;

/// Sequences of each group when there are this many groups; the last may have fewer.
pub(super) fn sequences_per_group(sequences: usize, groups: usize) -> usize {
    sequences.div_ceil(groups).max(1)
}

/// Tokens `[batch, pos]` and right classes `[batch, position]`, this many sequences at a time.
pub(super) fn with_classes<'a>(
    tokens: ArrayView2<'a, Token>,
    classes: ArrayView2<'a, Token>,
    sequences: usize,
) -> impl Iterator<Item = (ArrayView2<'a, Token>, ArrayView2<'a, Token>)> {
    let starts = (0..tokens.nrows()).step_by(sequences);
    starts.map(move |from| {
        let rows = s![from..(from + sequences).min(tokens.nrows()), ..];
        (tokens.slice_move(rows), classes.slice_move(rows))
    })
}

/// Sequences in a chunk, at most: few enough that the activations of a toy model stay in a core's L2 cache; of models with
/// an MLP so many that short ones give its products rows enough to pay for reading its weights.
pub(super) fn sequences_per_chunk(config: &Config, seq: usize) -> usize {
    const MOST_LISTS: usize = 16;
    const MLP_ROWS: usize = 256;
    const MOST_NUMBERS: u128 = 1 << 24;
    let short = if config.mlp.is_some() { MLP_ROWS / seq.max(1) } else { 0 };
    let lists = MOST_LISTS.max(short);
    let most = MOST_NUMBERS / config.activations(seq).max(1);
    usize::try_from(most).map_or(lists, |sequences| sequences.clamp(1, lists))
}

/// Each sum ← the sum of its parts, in their order; shares of them in parallel.
pub(super) fn sum_all(vectors: Vectors, sums: Vec<(&mut [f32], Vec<&[f32]>)>) {
    const SHARE: usize = 4096;
    let shares = sums.into_iter().flat_map(|(sum, parts)| {
        sum.chunks_mut(SHARE).enumerate().map(move |(share, sum)| {
            let share_parts: Vec<&[f32]> = parts.iter().map(|part| &part[share * SHARE..][..sum.len()]).collect();
            (sum, share_parts)
        })
    });
    for_each(shares.collect(), |(sum, parts): (&mut [f32], Vec<&[f32]>)| {
        dispatch!(vectors, simd => sum_share(simd, sum, &parts));
    });
}

/// A run of numbers at a time, which is summed up in registers.
#[simd]
fn sum_share<S: Simd>(_: S, sum: &mut [f32], parts: &[&[f32]]) {
    const RUN: usize = 64;
    let (runs, rest) = sum.as_chunks_mut::<RUN>();
    for (run, sum) in runs.iter_mut().enumerate() {
        *sum = [0.0; RUN];
        for part in parts {
            sum.iter_mut().zip(&part.as_chunks::<RUN>().0[run]).for_each(|(sum, number)| *sum += number);
        }
    }
    rest.fill(0.0);
    for part in parts {
        rest.iter_mut().zip(part.as_chunks::<RUN>().1).for_each(|(sum, number)| *sum += number);
    }
}
