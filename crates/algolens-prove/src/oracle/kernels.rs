//! Vector kernels of the subset dynamic program: min-plus forward and backward passes, sum-product passes.
//!
//! The states are sets of filled list positions. A *block* is 16 states: they differ in the first four positions, which
//! are lanes; the number of a block is the set of the other positions. A lane's predecessor by one of the first four
//! positions stands 1, 2, 4 or 8 numbers before it.

use crate::MOST_VALUES;
use fearless_simd::{f64x8, i32x16, prelude::*};
use fearless_simd_macros::simd;

/// Number of states in a block.
pub const BLOCK: usize = 16;
/// Number of positions whose sets are the lanes of a block.
const LANE_POSITIONS: usize = 4;
/// Most positions whose sets number the blocks.
const BLOCK_POSITIONS: usize = MOST_VALUES - LANE_POSITIONS;

/// +∞: the cost of an infeasible choice. Sums of three of it do not overflow.
pub const BIG: i32 = (1 << 29) - 1;
/// The largest absolute sum of a list's costs.
pub const RANGE: i32 = 1 << 27;

/// True if a cost is that of a reachable state: others are [`BIG`] less at most the range of costs.
pub fn is_finite(units: i32) -> bool {
    units < BIG - RANGE - (RANGE >> 1)
}

/// Costs of placing one token, by position and rank.
#[derive(Clone, Debug)]
pub struct TokenCosts {
    /// The token's number in the class.
    pub number: usize,
    /// True if it may be absent.
    optional: bool,
    /// Cost of each of the first four positions, in the lanes that fill it.
    lanes: [[i32; BLOCK]; LANE_POSITIONS],
    /// Cost of each other position.
    blocks: [i32; BLOCK_POSITIONS],
    /// Cost in the sorted half `[filled positions that number the block][lane]`, for tokens seen there.
    ranks: Option<[[i32; BLOCK]; BLOCK_POSITIONS + 1]>,
}

impl TokenCosts {
    /// Costs of a token: `at(position)` and, in the sorted half, `rank(positions filled before)`.
    pub fn new(
        token: usize,
        optional: bool,
        list_len: usize,
        at: impl Fn(usize) -> i32,
        rank: Option<impl Fn(usize) -> i32>,
    ) -> Self {
        let at = |position: usize| if position < list_len { at(position) } else { BIG };
        let lanes = std::array::from_fn(|position| {
            let cost = at(position);
            std::array::from_fn(|lane| if lane >> position & 1 == 1 { cost } else { BIG })
        });
        let ranks = rank.map(|rank| {
            let by_count: [i32; MOST_VALUES + 1] = std::array::from_fn(rank);
            std::array::from_fn(|before| {
                std::array::from_fn(|lane: usize| by_count[before + lane.count_ones() as usize])
            })
        });
        Self { number: token, optional, lanes, blocks: std::array::from_fn(|bit| at(LANE_POSITIONS + bit)), ranks }
    }

    /// The cost of a position.
    fn cost(&self, position: usize) -> i32 {
        if position < LANE_POSITIONS { self.lanes[position][BLOCK - 1] } else { self.blocks[position - LANE_POSITIONS] }
    }

    /// The cost in the sorted half of placing the token in a state.
    fn rank_cost(&self, state: usize) -> i32 {
        let before = (state >> LANE_POSITIONS).count_ones() as usize;
        self.ranks.as_ref().map_or(0, |ranks| ranks[before][state % BLOCK])
    }
}

/// Buffers of the min-plus passes. Layers of states follow one another with a block between them, which reads before
/// and after a layer may touch.
#[derive(Debug)]
pub struct Scratch {
    list_len: usize,
    /// A layer with the sorted half's costs added.
    ranked: Vec<i32>,
    /// Layers of the backward pass.
    back: [Vec<i32>; 2],
}

impl Scratch {
    /// Buffers for lists of `list_len` values.
    pub fn new(list_len: usize) -> Self {
        let layer = stride(list_len) + BLOCK;
        Self { list_len, ranked: vec![BIG; layer], back: [vec![BIG; layer], vec![BIG; layer]] }
    }

    fn blocks(&self) -> usize {
        blocks(self.list_len)
    }

    /// The least cost of the state in which every position is filled, after so many tokens.
    pub fn last(&self, layers: &[i32], tokens: usize) -> i32 {
        layers[tokens * stride(self.list_len) + BLOCK + (1 << self.list_len) - 1]
    }
}

/// Number of blocks of a layer.
fn blocks(list_len: usize) -> usize {
    1 << list_len.saturating_sub(LANE_POSITIONS)
}

/// Numbers from one layer to the next.
fn stride(list_len: usize) -> usize {
    (blocks(list_len) + 1) * BLOCK
}

#[inline(always)]
fn load<S: Simd>(simd: S, numbers: &[i32], at: usize) -> i32x16<S> {
    i32x16::from_slice(simd, &numbers[at..at + BLOCK])
}

/// Forward pass, min-plus: fills `layers` with the least cost of each set of filled positions after each token.
#[simd]
pub fn forward<S: Simd>(simd: S, tokens: &[TokenCosts], layers: &mut Vec<i32>, scratch: &mut Scratch) {
    let (stride, blocks) = (stride(scratch.list_len), scratch.blocks());
    layers.resize((tokens.len() + 1) * stride + BLOCK, BIG);
    layers[BLOCK..stride].fill(BIG);
    layers[BLOCK] = 0;
    for (at, token) in tokens.iter().enumerate() {
        let (before, after) = layers[at * stride..].split_at_mut(stride);
        let from: &[i32] = match &token.ranks {
            None => before,
            Some(ranks) => {
                add_ranks(simd, blocks, before, ranks, &mut scratch.ranked);
                &scratch.ranked
            }
        };
        let lanes: [i32x16<S>; LANE_POSITIONS] = token.lanes.map(|lanes| load(simd, &lanes, 0));
        for block in 0..blocks {
            let start = (block + 1) * BLOCK;
            let mut least = if token.optional { load(simd, before, start) } else { i32x16::splat(simd, BIG) };
            for (position, lanes) in lanes.iter().enumerate() {
                least = least.min(load(simd, from, start - (1 << position)) + *lanes);
            }
            let mut filled = block;
            while filled != 0 {
                let bit = filled.trailing_zeros() as usize;
                filled &= filled - 1;
                least = least.min(load(simd, from, start - (BLOCK << bit)) + token.blocks[bit]);
            }
            least.store_slice(&mut after[start..start + BLOCK]);
        }
    }
}

/// Sets `ranked` to a layer plus the costs in the sorted half.
#[simd]
fn add_ranks<S: Simd>(
    simd: S,
    blocks: usize,
    layer: &[i32],
    ranks: &[[i32; BLOCK]; BLOCK_POSITIONS + 1],
    ranked: &mut [i32],
) {
    for block in 0..blocks {
        let start = (block + 1) * BLOCK;
        let sum = load(simd, layer, start) + load(simd, &ranks[block.count_ones() as usize], 0);
        sum.store_slice(&mut ranked[start..start + BLOCK]);
    }
}

/// Traceback along a least-cost path through what [`forward`] filled; calls `placed(token, position)`.
pub fn trace(tokens: &[TokenCosts], layers: &[i32], scratch: &Scratch, mut placed: impl FnMut(usize, usize)) {
    let stride = stride(scratch.list_len);
    let mut state = (1 << scratch.list_len) - 1;
    for (at, token) in tokens.iter().enumerate().rev() {
        let layer = |at: usize, state: usize| layers[at * stride + BLOCK + state];
        let least = layer(at + 1, state);
        if token.optional && layer(at, state) == least {
            continue;
        }
        let way = (0..scratch.list_len).find(|&position| {
            let before = state & !(1 << position);
            before != state && layer(at, before) + token.rank_cost(before) + token.cost(position) == least
        });
        let position = way.expect("the least cost of a state is that of one of the ways to it");
        placed(at, position);
        state &= !(1 << position);
    }
}

/// Backward pass, the min-marginals: for each token, last first, the least cost of all paths through what [`forward`]
/// filled that place it at each position, and (last of the numbers) of those that leave it out.
#[simd]
pub fn backward<S: Simd>(
    simd: S,
    tokens: &[TokenCosts],
    layers: &[i32],
    scratch: &mut Scratch,
    mut least: impl FnMut(usize, [i32; BLOCK]),
) {
    let (list_len, stride, blocks) = (scratch.list_len, stride(scratch.list_len), scratch.blocks());
    let big = i32x16::splat(simd, BIG);
    let Scratch { ranked, back: [old, new], .. } = scratch;
    old.fill(BIG);
    new.fill(BIG);
    old[BLOCK + (1 << list_len) - 1] = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        let before = &layers[at * stride..(at + 1) * stride];
        let from: &[i32] = match &token.ranks {
            None => before,
            Some(ranks) => {
                add_ranks(simd, blocks, before, ranks, ranked);
                ranked
            }
        };
        // Lanes whose position is still empty.
        let lanes: [i32x16<S>; LANE_POSITIONS] = std::array::from_fn(|position| {
            let costs: [i32; BLOCK] =
                std::array::from_fn(|lane| if lane >> position & 1 == 0 { token.cost(position) } else { BIG });
            load(simd, &costs, 0)
        });
        let mut placed = [big + big; MOST_VALUES];
        let mut absent = big + big;
        for block in 0..blocks {
            let start = (block + 1) * BLOCK;
            let (states, after) = (load(simd, from, start), load(simd, old, start));
            let mut rest = big;
            for (position, lanes) in lanes.iter().enumerate() {
                let way = load(simd, old, start + (1 << position)) + *lanes;
                placed[position] = placed[position].min(states + way);
                rest = rest.min(way);
            }
            let mut empty = !block & (blocks - 1);
            while empty != 0 {
                let bit = empty.trailing_zeros() as usize;
                empty &= empty - 1;
                let way = load(simd, old, start + (BLOCK << bit)) + token.blocks[bit];
                placed[LANE_POSITIONS + bit] = placed[LANE_POSITIONS + bit].min(states + way);
                rest = rest.min(way);
            }
            if let Some(ranks) = &token.ranks {
                rest = (rest + load(simd, &ranks[block.count_ones() as usize], 0)).min(big);
            }
            if token.optional {
                absent = absent.min(load(simd, before, start) + after);
                rest = rest.min(after);
            }
            rest.store_slice(&mut new[start..start + BLOCK]);
        }
        let mut numbers = [i32::MAX; BLOCK];
        for (number, placed) in numbers.iter_mut().zip(&placed[..list_len]) {
            *number = smallest(placed);
        }
        numbers[BLOCK - 1] = smallest(&absent);
        least(at, numbers);
        std::mem::swap(old, new);
    }
}

/// The least of a vector's lanes.
#[inline(always)]
fn smallest<S: Simd>(lanes: &i32x16<S>) -> i32 {
    let mut numbers = [0; BLOCK];
    lanes.store_slice(&mut numbers);
    numbers.into_iter().fold(i32::MAX, i32::min)
}

/// Number of lanes of a vector of sums.
const SUMS: usize = 8;
/// Number of positions whose sets are the lanes of a vector of sums.
const SUM_POSITIONS: usize = 3;

/// Factors of placing one token in the sum-product pass, laid out as [`TokenCosts`]; 1 where lists are counted.
#[derive(Clone, Debug)]
pub struct CountFactors {
    optional: bool,
    lanes: [[f64; SUMS]; SUM_POSITIONS],
    blocks: [f64; MOST_VALUES - SUM_POSITIONS],
    ranks: Option<[[f64; SUMS]; MOST_VALUES - SUM_POSITIONS + 1]>,
}

impl CountFactors {
    /// Factors of a token: `at(position)` and, in the sorted half, `rank(positions filled before)`.
    pub fn new(
        optional: bool,
        list_len: usize,
        at: impl Fn(usize) -> f64,
        rank: Option<impl Fn(usize) -> f64>,
    ) -> Self {
        let at = |position: usize| if position < list_len { at(position) } else { 0.0 };
        let lanes = std::array::from_fn(|position| {
            let factor = at(position);
            std::array::from_fn(|lane| if lane >> position & 1 == 1 { factor } else { 0.0 })
        });
        let ranks = rank.map(|rank| {
            let by_count: [f64; MOST_VALUES + 1] = std::array::from_fn(rank);
            std::array::from_fn(|before| {
                std::array::from_fn(|lane: usize| by_count[before + lane.count_ones() as usize])
            })
        });
        Self { optional, lanes, blocks: std::array::from_fn(|bit| at(SUM_POSITIONS + bit)), ranks }
    }
}

/// Clears the layers of [`sum_of_products`]; the first layer, by the set of filled positions, to be set.
pub fn first_sums(layers: &mut [Vec<f64>; 3], list_len: usize) -> &mut [f64] {
    let blocks = 1 << list_len.saturating_sub(SUM_POSITIONS);
    for layer in layers.iter_mut() {
        layer.clear();
        layer.resize((blocks + 1) * SUMS, 0.0);
    }
    &mut layers[0][SUMS..SUMS + (1 << list_len)]
}

/// Sum-product pass: over all ways to fill every position, from the [`first_sums`] on, the sum of the product of the
/// factors.
#[simd]
pub fn sum_of_products<S: Simd>(simd: S, factors: &[CountFactors], layers: &mut [Vec<f64>; 3], list_len: usize) -> f64 {
    let blocks = 1 << list_len.saturating_sub(SUM_POSITIONS);
    let [old, new, ranked] = layers;
    for token in factors {
        let from: &[f64] = match &token.ranks {
            None => old,
            Some(ranks) => {
                for block in 0..blocks {
                    let start = (block + 1) * SUMS;
                    let factors = load_sums(simd, &ranks[block.count_ones() as usize], 0);
                    (load_sums(simd, old, start) * factors).store_slice(&mut ranked[start..start + SUMS]);
                }
                ranked
            }
        };
        let lanes: [f64x8<S>; SUM_POSITIONS] = token.lanes.map(|lanes| load_sums(simd, &lanes, 0));
        for block in 0..blocks {
            let start = (block + 1) * SUMS;
            let mut sum = if token.optional { load_sums(simd, old, start) } else { f64x8::splat(simd, 0.0) };
            for (position, lanes) in lanes.iter().enumerate() {
                sum += load_sums(simd, from, start - (1 << position)) * *lanes;
            }
            let mut filled = block;
            while filled != 0 {
                let bit = filled.trailing_zeros() as usize;
                filled &= filled - 1;
                sum += load_sums(simd, from, start - (SUMS << bit)) * token.blocks[bit];
            }
            sum.store_slice(&mut new[start..start + SUMS]);
        }
        std::mem::swap(old, new);
    }
    old[SUMS + (1 << list_len) - 1]
}

#[inline(always)]
fn load_sums<S: Simd>(simd: S, numbers: &[f64], at: usize) -> f64x8<S> {
    f64x8::from_slice(simd, &numbers[at..at + SUMS])
}
