//! Vector kernels of the [`Recursion`](super::recursion::Recursion): its min-plus forward and backward passes.

use super::{
    class::ABSENT,
    states::{Blocks, Costs, LANES, LOW, NEVER, PAD},
};
use fearless_simd::{i32x16, prelude::*};
use fearless_simd_macros::simd;

/// Inputs of a pass.
pub(super) struct Pass<'a> {
    /// Option bits `[token]`.
    pub options: &'a [u16],
    /// Quantized costs.
    pub costs: &'a Costs,
    /// Number of tokens up to the one that predicts.
    pub below: usize,
    /// Numbers in a row.
    pub stride: usize,
    /// The blocks with reachable states.
    pub blocks: &'a Blocks,
}

impl<'a> Pass<'a> {
    /// Costs `[rank]` of a token up to the one that predicts.
    #[inline(always)]
    fn by_rank(&self, token: usize) -> Option<&'a [i32; LANES]> {
        self.costs.sorted.get(token)
    }
}

/// Lane masks `[low position]`: all bits set in the lanes that have it.
const WITH: [[i32; LANES]; LOW] = {
    let mut with = [[0; LANES]; LOW];
    let mut at = 0;
    while at < LOW * LANES {
        with[at / LANES][at % LANES] = -(((at % LANES) >> (at / LANES) & 1) as i32);
        at += 1;
    }
    with
};

/// The cost of each low position in the lanes that have it (or that lack it); [`NEVER`] elsewhere.
#[inline(always)]
fn low_costs<S: Simd>(simd: S, options: u16, costs: &[i32; LANES], lacking: bool) -> [i32x16<S>; LOW] {
    let never = i32x16::splat(simd, NEVER);
    let mut low = [never; LOW];
    for position in 0..LOW {
        if options >> position & 1 != 0 {
            let with = i32x16::from_slice(simd, &WITH[position]);
            let lanes = if lacking { !with } else { with };
            let cost = i32x16::splat(simd, costs[position]);
            low[position] = (cost & lanes) | (never & !lanes);
        }
    }
    low
}

/// The cost of the rank `size of the state - less`, for blocks of 0, 1, … members.
#[inline(always)]
fn rank_costs<S: Simd>(simd: S, by_rank: &[i32; LANES], less: usize) -> [i32x16<S>; LANES - LOW] {
    let mut costs = [i32x16::splat(simd, NEVER); LANES - LOW];
    for (members, costs) in costs.iter_mut().enumerate() {
        *costs = i32x16::from_fn(
            simd,
            #[inline(always)]
            |lane| {
                let size = members + lane.count_ones() as usize;
                size.checked_sub(less).and_then(|rank| by_rank.get(rank)).map_or(NEVER, |cost| *cost)
            },
        );
    }
    costs
}

/// Forward pass: fills a row for each token that may be in the list; the last row's number.
#[simd]
pub(super) fn forward<S: Simd, const HIGH: usize>(simd: S, pass: &Pass<'_>, rows: &mut [i32]) -> usize {
    let mut last = 0;
    for (token, options) in pass.options.iter().enumerate() {
        if *options == ABSENT {
            continue;
        }
        let (before, after) = rows.split_at_mut((token + 1) * pass.stride);
        let from = &before[last * pass.stride..][..pass.stride];
        let to = &mut after[..pass.stride];
        let blocks = pass.blocks.before(token + 1, pass.below);
        place::<S, HIGH>(simd, from, to, blocks, *options, &pass.costs.unsorted[token], pass.by_rank(token));
        last = token + 1;
    }
    last
}

/// The least cost of each state once a token is placed.
#[inline(always)]
fn place<S: Simd, const HIGH: usize>(
    simd: S,
    from: &[i32],
    to: &mut [i32],
    blocks: &[usize],
    options: u16,
    costs: &[i32; LANES],
    by_rank: Option<&[i32; LANES]>,
) {
    let never = i32x16::splat(simd, NEVER);
    let low = low_costs(simd, options, costs, false);
    let ranked = by_rank.map(
        #[inline(always)]
        |by_rank| rank_costs(simd, by_rank, 1),
    );
    let any_low = options & ((1 << LOW) - 1) != 0;
    for &block in blocks {
        let at = PAD + block * LANES;
        let mut placed = never;
        if any_low {
            let near = from[at - 8..].first_chunk::<24>().expect("rows are padded");
            placed = placed.min(i32x16::from_slice(simd, &near[7..23]) + low[0]);
            placed = placed.min(i32x16::from_slice(simd, &near[6..22]) + low[1]);
            placed = placed.min(i32x16::from_slice(simd, &near[4..20]) + low[2]);
            placed = placed.min(i32x16::from_slice(simd, &near[0..16]) + low[3]);
        }
        for position in 0..HIGH {
            if block >> position & 1 != 0 && options >> (LOW + position) & 1 != 0 {
                let without = &from[at - (LANES << position)..][..LANES];
                placed = placed.min(i32x16::from_slice(simd, without) + costs[LOW + position]);
            }
        }
        if let Some(ranked) = &ranked {
            placed += ranked[block.count_ones() as usize];
        }
        if options & ABSENT != 0 {
            placed = placed.min(i32x16::from_slice(simd, &from[at..at + LANES]));
        }
        placed.min(never).store_slice(&mut to[at..at + LANES]);
    }
}

/// Backward pass from the rows that a forward pass `reached`: adds to `kept` the options whose min-marginal is less
/// than 1. There must be a list that costs less than 1.
#[simd]
pub(super) fn backward<S: Simd, const HIGH: usize>(
    simd: S,
    pass: &Pass<'_>,
    reached: &[i32],
    rows: &mut [i32],
    kept: &mut [u16],
) {
    let mut next = pass.options.len();
    for (token, options) in pass.options.iter().enumerate().rev() {
        if *options == ABSENT {
            kept[token] |= ABSENT;
            continue;
        }
        let before = pass.options[..token].iter().rposition(|options| *options != ABSENT).map_or(0, |last| last + 1);
        let reached = &reached[before * pass.stride..][..pass.stride];
        let (to, after) = rows.split_at_mut(next * pass.stride);
        let to = &mut to[token * pass.stride..][..pass.stride];
        let from = &after[..pass.stride];
        let blocks = pass.blocks.before(token, pass.below);
        let costs = &pass.costs.unsorted[token];
        kept[token] |= lift::<S, HIGH>(simd, from, to, reached, blocks, *options, costs, pass.by_rank(token));
        next = token;
    }
}

/// The least cost to complete each state with a token and those after it; the token's options whose min-marginal is
/// less than 1.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "three rows and a token")]
fn lift<S: Simd, const HIGH: usize>(
    simd: S,
    from: &[i32],
    to: &mut [i32],
    reached: &[i32],
    blocks: &[usize],
    options: u16,
    costs: &[i32; LANES],
    by_rank: Option<&[i32; LANES]>,
) -> u16 {
    let never = i32x16::splat(simd, NEVER);
    let low = low_costs(simd, options, costs, true);
    let ranked = by_rank.map(
        #[inline(always)]
        |by_rank| rank_costs(simd, by_rank, 0),
    );
    let any_low = options & ((1 << LOW) - 1) != 0;
    let mut low_least = [never; LOW];
    let mut high_least = [never; HIGH];
    let mut absent_least = never;
    for &block in blocks {
        let at = PAD + block * LANES;
        let reached = i32x16::from_slice(simd, &reached[at..at + LANES]);
        let rank = match &ranked {
            Some(ranked) => ranked[block.count_ones() as usize],
            None => i32x16::splat(simd, 0),
        };
        let whole = reached + rank;
        let mut follows = never;
        if any_low {
            let near = from[at..].first_chunk::<24>().expect("rows are padded");
            let with = [&near[1..17], &near[2..18], &near[4..20], &near[8..24]];
            for position in 0..LOW {
                let rest = i32x16::from_slice(simd, with[position]) + low[position];
                follows = follows.min(rest);
                low_least[position] = low_least[position].min(rest + whole);
            }
        }
        for position in 0..HIGH {
            if block >> position & 1 == 0 && options >> (LOW + position) & 1 != 0 {
                let with = &from[at + (LANES << position)..][..LANES];
                let rest = i32x16::from_slice(simd, with) + costs[LOW + position];
                follows = follows.min(rest);
                high_least[position] = high_least[position].min(rest + whole);
            }
        }
        follows += rank;
        if options & ABSENT != 0 {
            let rest = i32x16::from_slice(simd, &from[at..at + LANES]);
            follows = follows.min(rest);
            absent_least = absent_least.min(rest + reached);
        }
        follows.min(never).store_slice(&mut to[at..at + LANES]);
    }
    let mut kept = 0;
    for (position, least) in low_least.iter().chain(&high_least).enumerate() {
        kept |= u16::from(least.reduce_min() < 1) << position;
    }
    kept | if absent_least.reduce_min() < 1 { ABSENT } else { 0 }
}
