//! The recursion over lists whose order is given: the state is the number of tokens placed, as a token's rank says where it
//! stands.

use super::{
    super::{MOST_VALUES, Order},
    kernels::{BIG, BLOCK},
};

/// A number for each number of tokens placed.
pub type Layer = [i32; MOST_VALUES + 1];

/// Placing one token.
#[derive(Clone, Debug)]
pub struct Step {
    /// The token, by its number in the class.
    pub token: usize,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it costs as the token of each rank; [`BIG`] where it cannot be that.
    pub costs: [i32; MOST_VALUES],
}

impl Step {
    /// As [`Place::new`](super::kernels::Place::new), for lists that stand in an order.
    pub fn new(
        token: usize,
        optional: bool,
        list_len: usize,
        order: Order,
        at: impl Fn(usize) -> i32,
        rank: Option<impl Fn(usize) -> i32>,
    ) -> Self {
        let cost = |of_rank: usize| {
            if of_rank >= list_len {
                return BIG;
            }
            let position = order.position_of(of_rank, list_len);
            (at(position) + rank.as_ref().map_or(0, |rank| rank(of_rank))).min(BIG)
        };
        Self { token, optional, costs: std::array::from_fn(cost) }
    }

    fn placed(&self, before: i32, rank: usize) -> i32 {
        (before + self.costs[rank]).min(BIG)
    }
}

/// Fills `layers`: the least cost of each number of tokens placed, before each step and after the last.
pub fn forward(steps: &[Step], layers: &mut Vec<Layer>) {
    let mut layer = [BIG; MOST_VALUES + 1];
    layer[0] = 0;
    layers.clear();
    layers.push(layer);
    for step in steps {
        let mut after = if step.optional { layer } else { [BIG; MOST_VALUES + 1] };
        for rank in 0..MOST_VALUES {
            after[rank + 1] = after[rank + 1].min(step.placed(layer[rank], rank));
        }
        layer = after;
        layers.push(layer);
    }
}

/// Walks back along a way of least cost that places `count` tokens; `placed(step, rank)`.
pub fn trace(steps: &[Step], layers: &[Layer], count: usize, mut placed: impl FnMut(usize, usize)) {
    let mut left = count;
    for (at, step) in steps.iter().enumerate().rev() {
        if step.optional && layers[at][left] == layers[at + 1][left] {
            continue;
        }
        left -= 1;
        placed(at, left);
    }
}

/// Goes backwards through what [`forward`] filled: for each step, last first, the least cost of all ways that place its
/// token at each rank, and (last of the numbers) of those that leave it out.
pub fn backward(steps: &[Step], layers: &[Layer], count: usize, mut least: impl FnMut(usize, [i32; BLOCK])) {
    let mut rest = [BIG; MOST_VALUES + 1];
    rest[count] = 0;
    for (at, step) in steps.iter().enumerate().rev() {
        let (before, after) = (&layers[at], rest);
        let mut numbers = [i32::MAX; BLOCK];
        rest = if step.optional { after } else { [BIG; MOST_VALUES + 1] };
        for rank in 0..count {
            let way = step.placed(after[rank + 1], rank);
            numbers[rank] = before[rank] + way;
            rest[rank] = rest[rank].min(way);
        }
        if step.optional {
            let absent = before.iter().zip(after).map(|(before, after)| before + after);
            numbers[BLOCK - 1] = absent.fold(i32::MAX, i32::min);
        }
        least(at, numbers);
    }
}

/// In how many ways so many tokens can be placed.
pub fn count(steps: &[Step], count: usize) -> f64 {
    let mut ways = [0.0; MOST_VALUES + 1];
    ways[0] = 1.0;
    for step in steps {
        for rank in (0..MOST_VALUES).rev() {
            let placed = if step.costs[rank] < BIG { ways[rank] } else { 0.0 };
            ways[rank + 1] = placed + if step.optional { ways[rank + 1] } else { 0.0 };
        }
        if !step.optional {
            ways[0] = 0.0;
        }
    }
    ways[count]
}
