//! Min-plus dynamic programming over ordered lists: the state is the number of tokens placed, as a token's rank
//! determines its list position.

use super::kernels::{BIG, BLOCK};
use crate::{MOST_VALUES, Order};

/// Least costs `[number of tokens placed]`.
pub type Layer = [i32; MOST_VALUES + 1];

/// Costs of placing one token, by rank.
#[derive(Clone, Debug)]
pub struct RankCosts {
    /// The token's number in the class.
    pub number: usize,
    /// True if it may be absent.
    pub optional: bool,
    /// Cost `[rank]`; [`BIG`] where infeasible.
    pub costs: [i32; MOST_VALUES],
}

impl RankCosts {
    /// Costs as [`TokenCosts::new`](super::kernels::TokenCosts::new) takes them, for ordered lists.
    pub fn new(
        token: usize,
        optional: bool,
        list_len: usize,
        order: Order,
        at: impl Fn(usize) -> i32,
        rank: Option<impl Fn(usize) -> i32>,
    ) -> Self {
        let cost = |placed: usize| {
            if placed >= list_len {
                return BIG;
            }
            let position = order.position_of(placed, list_len);
            (at(position) + rank.as_ref().map_or(0, |rank| rank(placed))).min(BIG)
        };
        Self { number: token, optional, costs: std::array::from_fn(cost) }
    }

    /// The cost of a state once the token takes a rank, capped at [`BIG`].
    fn placed(&self, before: i32, rank: usize) -> i32 {
        (before + self.costs[rank]).min(BIG)
    }
}

/// Forward pass: fills `layers` with the least cost of each number of tokens placed, before each token and after the
/// last.
pub fn forward(tokens: &[RankCosts], layers: &mut Vec<Layer>) {
    let mut layer = [BIG; MOST_VALUES + 1];
    layer[0] = 0;
    layers.clear();
    layers.push(layer);
    for token in tokens {
        let mut after = if token.optional { layer } else { [BIG; MOST_VALUES + 1] };
        for rank in 0..MOST_VALUES {
            after[rank + 1] = after[rank + 1].min(token.placed(layer[rank], rank));
        }
        layer = after;
        layers.push(layer);
    }
}

/// Traceback along a least-cost path that places `count` tokens; calls `placed(token, rank)`.
pub fn trace(tokens: &[RankCosts], layers: &[Layer], count: usize, mut placed: impl FnMut(usize, usize)) {
    let mut placed_before = count;
    for (at, token) in tokens.iter().enumerate().rev() {
        if token.optional && layers[at][placed_before] == layers[at + 1][placed_before] {
            continue;
        }
        placed_before -= 1;
        placed(at, placed_before);
    }
}

/// Backward pass, the min-marginals: for each token, last first, the least cost of all paths that place it at each
/// rank, and (last of the numbers) of those that leave it out.
pub fn backward(tokens: &[RankCosts], layers: &[Layer], count: usize, mut least: impl FnMut(usize, [i32; BLOCK])) {
    let mut rest = [BIG; MOST_VALUES + 1];
    rest[count] = 0;
    for (at, token) in tokens.iter().enumerate().rev() {
        let (before, after) = (&layers[at], rest);
        let mut numbers = [i32::MAX; BLOCK];
        rest = if token.optional { after } else { [BIG; MOST_VALUES + 1] };
        for rank in 0..count {
            let way = token.placed(after[rank + 1], rank);
            numbers[rank] = before[rank] + way;
            rest[rank] = rest[rank].min(way);
        }
        if token.optional {
            let absent = before.iter().zip(after).map(|(before, after)| before + after);
            numbers[BLOCK - 1] = absent.fold(i32::MAX, i32::min);
        }
        least(at, numbers);
    }
}

/// The number of ways to place `count` tokens: sum-product dynamic programming.
pub fn count(tokens: &[RankCosts], count: usize) -> f64 {
    let mut ways = [0.0; MOST_VALUES + 1];
    ways[0] = 1.0;
    for token in tokens {
        for rank in (0..MOST_VALUES).rev() {
            let placed = if token.costs[rank] < BIG { ways[rank] } else { 0.0 };
            ways[rank + 1] = placed + if token.optional { ways[rank + 1] } else { 0.0 };
        }
        if !token.optional {
            ways[0] = 0.0;
        }
    }
    ways[count]
}
