//! Exact minima and counts over all lists of a class that meet restrictions.
//!
//! Tokens are placed in ascending order; the state is the set of list positions already filled. The number of positions
//! filled is the rank of the next token, so its row in the sorted half is known: a sum over attended rows costs
//! `u[token][position] + p[token][rank]` a token. With (min, +) the recursion minimises, with (+, ×) it counts; forwards
//! and backwards it gives the minimum for each choice of a token.
//!
//! Minimisation works on whole numbers: costs are scaled and rounded *down*, so that a minimum never lies above the true
//! one and has the same bits with any vector instructions.

mod kernels;
mod ordered;
mod region;
mod steps;
#[cfg(test)]
pub(super) mod tests;

pub use region::{ABSENT, Region};

use super::{ClassRows, List, MOST_VALUES, Order};
use algolens_core::dispatch;
use algolens_core::engine::Vectors;
use kernels::{BIG, BLOCK, Place, Weigh};
use ordered::Step;

/// What a sum costs, a number a local row.
pub type Costs = [f64];

/// Minima, marginals and sums; holds the memory they need.
#[derive(Debug)]
pub struct Oracle {
    vectors: Vectors,
    list_len: usize,
    /// The lists of every region that count.
    order: Order,
    places: Vec<Place>,
    /// A layer of states before each place, and one after the last.
    layers: Vec<i32>,
    scratch: kernels::Scratch,
    /// In place of places and layers where the order of lists is given.
    steps: Vec<Step>,
    step_layers: Vec<ordered::Layer>,
    weighs: Vec<Weigh>,
    sums: [Vec<f64>; 3],
    marginals: Vec<[i32; BLOCK]>,
    candidates: Vec<bool>,
    cheapest: Vec<(f64, usize)>,
    calls: u64,
}

/// The minimum of a sum.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum {
    /// The minimum of the costs rounded down to units.
    pub units: i64,
    /// Units a cost of 1 has.
    pub scale: f64,
    /// A list that has it.
    pub list: List,
}

impl Minimum {
    /// Not above the true minimum.
    pub fn bound(&self) -> f64 {
        self.units as f64 / self.scale
    }

    /// Whether the true minimum is surely positive: above what any other rounding of the costs to as many bits could lose.
    pub fn is_positive(&self) -> bool {
        self.units >= MARGIN
    }
}

/// Units that a minimum must have to count as positive. A sum has at most 2 · [`MOST_VALUES`] + 1 rows, each rounded by a
/// unit; twice that leaves room for a checker that rounds once more.
pub const MARGIN: i64 = 2 * (2 * MOST_VALUES as i64 + 1);

impl Oracle {
    /// An oracle for lists of `list_len` values.
    pub fn new(list_len: usize, vectors: Vectors) -> Self {
        Self {
            vectors,
            list_len,
            order: Order::Any,
            places: Vec::new(),
            layers: Vec::new(),
            scratch: kernels::Scratch::new(list_len),
            steps: Vec::new(),
            step_layers: Vec::new(),
            weighs: Vec::new(),
            sums: std::array::from_fn(|_| Vec::new()),
            marginals: Vec::new(),
            candidates: Vec::new(),
            cheapest: Vec::new(),
            calls: 0,
        }
    }

    /// An oracle for those lists of every region that stand in this order.
    pub fn ordered(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// How many passes over states were made; work is counted in these.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// The least sum over the lists of a region, and a list that has it; none if the region has no list.
    pub fn minimum(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        self.find_candidates(rows, region, costs);
        let quantised = self.forward(rows, region, costs, true)?;
        Some(self.trace(rows, quantised))
    }

    /// As [`minimum`](Self::minimum); also makes [`marginals`](Self::marginal).
    pub fn minimum_and_marginals(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        let quantised = self.forward(rows, region, costs, false)?;
        let minimum = self.trace(rows, quantised);
        self.calls += 1;
        self.marginals.clear();
        self.marginals.resize(rows.tokens.len(), [i32::MAX; BLOCK]);
        let whole = |units: i32| match kernels::is_finite(units) {
            true => units.saturating_add(quantised.constant),
            false => i32::MAX,
        };
        let Self { places, layers, scratch, marginals, steps, step_layers, order, list_len, .. } = self;
        if *order == Order::Any {
            dispatch!(self.vectors, simd => kernels::backward(simd, places, layers, scratch, |place, of| {
                marginals[places[place].token] = of.map(whole);
            }));
        } else {
            ordered::backward(steps, step_layers, *list_len, |step, of| {
                let marginals = &mut marginals[steps[step].token];
                marginals[BLOCK - 1] = whole(of[BLOCK - 1]);
                for rank in 0..*list_len {
                    marginals[order.position_of(rank, *list_len)] = whole(of[rank]);
                }
            });
        }
        Some(minimum)
    }

    /// Of the last [`minimum_and_marginals`](Self::minimum_and_marginals): the units of the least sum among lists that
    /// have the token at a position ([`ABSENT`]: that do not have it); `i32::MAX` where there is none.
    pub fn marginal(&self, token: usize, option: u32) -> i64 {
        i64::from(self.marginals[token][option as usize])
    }

    /// How many lists a region has; exact below 2⁵³.
    pub fn count(&mut self, rows: &ClassRows, region: &Region) -> f64 {
        if self.order == Order::Any {
            return self.weigh_all(rows, region, None);
        }
        let free = vec![0.0; rows.rows.len()];
        match self.forward(rows, region, &free, false) {
            None => 0.0,
            Some(_) => ordered::count(&self.steps, self.list_len),
        }
    }

    /// The sum over a region's lists of the product of the factors of the rows attended to.
    #[cfg(test)]
    pub fn sum_of_products(&mut self, rows: &ClassRows, region: &Region, factors: &Costs) -> f64 {
        self.weigh_all(rows, region, Some(factors))
    }

    /// Marks the tokens above `y` that a minimum needs: those that are among the cheapest at some position, as many as
    /// there are such tokens in a list. Another could be exchanged for one of these that is free, at no cost.
    fn find_candidates(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) {
        let above = rows.low + 1..rows.tokens.len();
        let needed = rows.list_len() - 1 - rows.class.position;
        self.candidates.clear();
        self.candidates.resize(rows.tokens.len(), true);
        if needed == 0 || above.len() <= needed + 2 {
            return;
        }
        self.candidates[above.clone()].fill(false);
        for position in 0..rows.list_len() {
            self.cheapest.clear();
            let allowed = above.clone().filter(|token| region.options()[*token] >> position & 1 == 1);
            self.cheapest.extend(allowed.map(|token| (costs[token * rows.list_len() + position], token)));
            if self.cheapest.len() > needed {
                self.cheapest.select_nth_unstable_by(needed - 1, |a, b| a.0.total_cmp(&b.0));
            }
            self.cheapest.iter().take(needed).for_each(|(_, token)| self.candidates[*token] = true);
        }
    }

    fn forward(&mut self, rows: &ClassRows, region: &Region, costs: &Costs, candidates: bool) -> Option<Quantised> {
        self.calls += 1;
        let scale = (f64::from(kernels::RANGE) / largest_sum(rows, region, costs)).min(f64::MAX);
        let constant = round_down(costs[rows.rows.len() - 1], scale);
        self.places.clear();
        self.steps.clear();
        let position = rows.class.position;
        for (token, &options) in region.options().iter().enumerate() {
            if options & !(1 << ABSENT) == 0 {
                if options == 0 {
                    return None;
                }
                continue;
            }
            let optional = options >> ABSENT & 1 == 1;
            // Tokens of ordered lists cannot be exchanged.
            if candidates && self.order == Order::Any && optional && !self.candidates[token] {
                continue;
            }
            let at = |j: usize| {
                if options >> j & 1 == 1 { round_down(costs[token * self.list_len + j], scale) } else { BIG }
            };
            let ranks = (token < rows.low).then(|| {
                let of_token = rows.low_start() + token * position;
                let last = token + 1 == rows.low;
                move |rank: usize| {
                    // d itself takes the last rank of the sorted half that is seen.
                    let there = rank < position && (rank + 1 == position) == last;
                    if there { round_down(costs[of_token + rank], scale) } else { BIG }
                }
            });
            match self.order {
                Order::Any => self.places.push(Place::new(token, optional, self.list_len, at, ranks)),
                order => self.steps.push(Step::new(token, optional, self.list_len, order, at, ranks)),
            }
        }
        let Self { places, layers, scratch, steps, step_layers, .. } = self;
        let units = if self.order == Order::Any {
            dispatch!(self.vectors, simd => kernels::forward(simd, places, layers, scratch));
            scratch.last(layers, places.len())
        } else {
            ordered::forward(steps, step_layers);
            step_layers[steps.len()][self.list_len]
        };
        kernels::is_finite(units).then_some(Quantised { units, constant, scale })
    }

    fn trace(&self, rows: &ClassRows, quantised: Quantised) -> Minimum {
        let mut list = [0; MOST_VALUES];
        match self.order {
            Order::Any => kernels::trace(&self.places, &self.layers, &self.scratch, |place, position| {
                list[position] = rows.tokens[self.places[place].token];
            }),
            order => ordered::trace(&self.steps, &self.step_layers, self.list_len, |step, rank| {
                list[order.position_of(rank, self.list_len)] = rows.tokens[self.steps[step].token];
            }),
        }
        let Quantised { units, constant, scale } = quantised;
        Minimum { units: i64::from(units) + i64::from(constant), scale, list }
    }

    /// How many lists of a region have, up to the token `d`, only steps that are allowed: `allowed(rank, before, token)`
    /// for the sorted values from the smallest (which has none before it). Of ordered lists, none are counted.
    pub fn count_with_steps(
        &mut self,
        rows: &ClassRows,
        region: &Region,
        allowed: impl Fn(usize, Option<u16>, u16) -> bool,
    ) -> f64 {
        self.calls += 1;
        if region.options().contains(&0) || self.order != Order::Any {
            return 0.0;
        }
        kernels::first_sums(&mut self.sums, self.list_len)[0] = 1.0;
        if rows.low > 0 {
            let sums = steps::sums_up_to_d(rows, region, allowed);
            kernels::first_sums(&mut self.sums, self.list_len).copy_from_slice(&sums);
        }
        self.weigh(rows, region, rows.low, None)
    }

    fn weigh_all(&mut self, rows: &ClassRows, region: &Region, factors: Option<&Costs>) -> f64 {
        self.calls += 1;
        if region.options().contains(&0) {
            return 0.0;
        }
        kernels::first_sums(&mut self.sums, self.list_len)[0] = 1.0;
        self.weigh(rows, region, 0, factors)
    }

    /// Weighs the tokens from `first` on.
    fn weigh(&mut self, rows: &ClassRows, region: &Region, first: usize, factors: Option<&Costs>) -> f64 {
        self.weighs.clear();
        let (position, factor) = (rows.class.position, |row: usize| factors.map_or(1.0, |factors| factors[row]));
        for (token, &options) in region.options().iter().enumerate().skip(first) {
            if options == 1 << ABSENT {
                continue;
            }
            let at = |j: usize| if options >> j & 1 == 1 { factor(token * self.list_len + j) } else { 0.0 };
            let ranks = (token < rows.low).then(|| {
                let of_token = rows.low_start() + token * position;
                let last = token + 1 == rows.low;
                move |rank: usize| {
                    let there = rank < position && (rank + 1 == position) == last;
                    if there { factor(of_token + rank) } else { 0.0 }
                }
            });
            self.weighs.push(Weigh::new(options >> ABSENT & 1 == 1, self.list_len, at, ranks));
        }
        let Self { weighs, sums, list_len, .. } = self;
        let sum = dispatch!(self.vectors, simd => kernels::weigh(simd, weighs, sums, *list_len));
        sum * factor(rows.rows.len() - 1)
    }
}

#[derive(Clone, Copy)]
struct Quantised {
    units: i32,
    constant: i32,
    scale: f64,
}

/// cost · scale rounded down, or one unit below that.
fn round_down(cost: f64, scale: f64) -> i32 {
    // Adding this rounds to the nearest whole number, which then stands in the low bits.
    const MAGIC: f64 = (3_u64 << 51) as f64;
    (cost * scale - 0.5 + MAGIC).to_bits() as u32 as i32
}

/// No sum over the rows of a list of the region is larger in size.
fn largest_sum(rows: &ClassRows, region: &Region, costs: &Costs) -> f64 {
    let (list_len, position) = (rows.list_len(), rows.class.position);
    let mut largest = [0.0_f64; 2 * MOST_VALUES];
    for (token, &options) in region.options().iter().enumerate() {
        if options & !(1 << ABSENT) == 0 {
            continue;
        }
        for (largest, cost) in largest.iter_mut().zip(&costs[token * list_len..][..list_len]) {
            *largest = largest.max(cost.abs());
        }
        if token < rows.low {
            let of_token = &costs[rows.low_start() + token * position..][..position];
            for (largest, cost) in largest[MOST_VALUES..].iter_mut().zip(of_token) {
                *largest = largest.max(cost.abs());
            }
        }
    }
    largest.iter().sum::<f64>() + costs[costs.len() - 1].abs() + f64::MIN_POSITIVE
}
