//! The oracle of lists to be sorted: subset dynamic programming.
//!
//! Tokens are placed in ascending order; the state is the set of list positions already filled. The number of positions
//! filled is the rank of the next token, so its row in the sorted half is known: a sum over attended rows costs
//! `u[token][position] + p[token][rank]` a token. In the min-plus semiring the recursion minimizes, in the sum-product
//! semiring it counts; a forward and a backward pass give the min-marginal of each option of a token.

use super::{
    interface::{Costs, Minimum, Oracle},
    kernels::{self, BIG, BLOCK, CountFactors, TokenCosts},
    ordered::{self, RankCosts},
    region::{ABSENT, Region},
    transitions,
};
use crate::{ClassRows, MOST_VALUES, Order};
use algolens_core::{dispatch, engine::Vectors};

/// Exact optimizer over the lists of a region, with its buffers.
#[derive(Debug)]
pub struct Subsets {
    vectors: Vectors,
    list_len: usize,
    /// Only lists in this order belong to a region.
    order: Order,
    /// The tokens to be placed, where lists may have any order.
    token_costs: Vec<TokenCosts>,
    /// A layer of states before each token, and one after the last.
    layers: Vec<i32>,
    scratch: kernels::Scratch,
    /// As `token_costs` and `layers`, where lists are ordered.
    rank_costs: Vec<RankCosts>,
    rank_layers: Vec<ordered::Layer>,
    factors: Vec<CountFactors>,
    sums: [Vec<f64>; 3],
    marginals: Vec<[i32; BLOCK]>,
    candidates: Vec<bool>,
    cheapest: Vec<(f64, usize)>,
    calls: u64,
}

impl Subsets {
    /// An oracle for lists of `list_len` values.
    pub fn new(list_len: usize, vectors: Vectors) -> Self {
        Self {
            vectors,
            list_len,
            order: Order::Any,
            token_costs: Vec::new(),
            layers: Vec::new(),
            scratch: kernels::Scratch::new(list_len),
            rank_costs: Vec::new(),
            rank_layers: Vec::new(),
            factors: Vec::new(),
            sums: std::array::from_fn(|_| Vec::new()),
            marginals: Vec::new(),
            candidates: Vec::new(),
            cheapest: Vec::new(),
            calls: 0,
        }
    }

    /// An oracle that admits only lists in this order.
    pub fn ordered(self, order: Order) -> Self {
        Self { order, ..self }
    }

    /// The sum-product of a region: over its lists, the sum of the product of the attended rows' factors.
    #[cfg(test)]
    pub fn sum_of_products(&mut self, rows: &ClassRows, region: &Region, factors: &Costs) -> f64 {
        self.sum_over_lists(rows, region, Some(factors))
    }

    /// Dominance among tokens above `y`: marks those among the cheapest at some position, as many as a list has such
    /// tokens. Any other could be exchanged for a free one of these at no cost.
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

    /// Quantizes the costs and runs the forward pass, over `candidates` only if asked; none if the region is empty.
    fn forward(&mut self, rows: &ClassRows, region: &Region, costs: &Costs, candidates: bool) -> Option<Quantized> {
        self.calls += 1;
        let scale = (f64::from(kernels::RANGE) / largest_sum(rows, region, costs)).min(f64::MAX);
        let constant = round_down(costs[rows.rows.len() - 1], scale);
        self.token_costs.clear();
        self.rank_costs.clear();
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
                let first = rows.low_start() + token * position;
                let last = token + 1 == rows.low;
                move |rank: usize| {
                    // d itself takes the last rank of the sorted half that is seen.
                    let there = rank < position && (rank + 1 == position) == last;
                    if there { round_down(costs[first + rank], scale) } else { BIG }
                }
            });
            match self.order {
                Order::Any => self.token_costs.push(TokenCosts::new(token, optional, self.list_len, at, ranks)),
                order => self.rank_costs.push(RankCosts::new(token, optional, self.list_len, order, at, ranks)),
            }
        }
        let Self { token_costs, layers, scratch, rank_costs, rank_layers, .. } = self;
        let units = if self.order == Order::Any {
            dispatch!(self.vectors, simd => kernels::forward(simd, token_costs, layers, scratch));
            scratch.last(layers, token_costs.len())
        } else {
            ordered::forward(rank_costs, rank_layers);
            rank_layers[rank_costs.len()][self.list_len]
        };
        kernels::is_finite(units).then_some(Quantized { units, constant, scale })
    }

    /// The minimum of a forward pass, with a list that attains it.
    fn trace(&self, rows: &ClassRows, quantized: Quantized) -> Minimum {
        let mut list = [0; MOST_VALUES];
        match self.order {
            Order::Any => kernels::trace(&self.token_costs, &self.layers, &self.scratch, |at, position| {
                list[position] = rows.tokens[self.token_costs[at].number];
            }),
            order => ordered::trace(&self.rank_costs, &self.rank_layers, self.list_len, |at, rank| {
                list[order.position_of(rank, self.list_len)] = rows.tokens[self.rank_costs[at].number];
            }),
        }
        let Quantized { units, constant, scale } = quantized;
        Minimum { units: i64::from(units) + i64::from(constant), scale, list }
    }

    /// The sum-product over all tokens.
    fn sum_over_lists(&mut self, rows: &ClassRows, region: &Region, factors: Option<&Costs>) -> f64 {
        self.calls += 1;
        if region.options().contains(&0) {
            return 0.0;
        }
        kernels::first_sums(&mut self.sums, self.list_len)[0] = 1.0;
        self.sum_from(rows, region, 0, factors)
    }

    /// The sum-product over the tokens from `first` on, from the first sums that are set.
    fn sum_from(&mut self, rows: &ClassRows, region: &Region, first: usize, factors: Option<&Costs>) -> f64 {
        self.factors.clear();
        let (position, factor) = (rows.class.position, |row: usize| factors.map_or(1.0, |factors| factors[row]));
        for (token, &options) in region.options().iter().enumerate().skip(first) {
            if options == 1 << ABSENT {
                continue;
            }
            let at = |j: usize| if options >> j & 1 == 1 { factor(token * self.list_len + j) } else { 0.0 };
            let ranks = (token < rows.low).then(|| {
                let first = rows.low_start() + token * position;
                let last = token + 1 == rows.low;
                move |rank: usize| {
                    let there = rank < position && (rank + 1 == position) == last;
                    if there { factor(first + rank) } else { 0.0 }
                }
            });
            self.factors.push(CountFactors::new(options >> ABSENT & 1 == 1, self.list_len, at, ranks));
        }
        let Self { factors, sums, list_len, .. } = self;
        let sum = dispatch!(self.vectors, simd => kernels::sum_of_products(simd, factors, sums, *list_len));
        sum * factor(rows.rows.len() - 1)
    }
}

impl Oracle for Subsets {
    fn calls(&self) -> u64 {
        self.calls
    }

    fn minimum(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        self.find_candidates(rows, region, costs);
        let quantized = self.forward(rows, region, costs, true)?;
        Some(self.trace(rows, quantized))
    }

    fn minimum_and_marginals(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        let quantized = self.forward(rows, region, costs, false)?;
        let minimum = self.trace(rows, quantized);
        self.calls += 1;
        self.marginals.clear();
        self.marginals.resize(rows.tokens.len(), [i32::MAX; BLOCK]);
        let whole = |units: i32| match kernels::is_finite(units) {
            true => units.saturating_add(quantized.constant),
            false => i32::MAX,
        };
        let Self { token_costs, layers, scratch, marginals, rank_costs, rank_layers, order, list_len, .. } = self;
        if *order == Order::Any {
            dispatch!(self.vectors, simd => kernels::backward(simd, token_costs, layers, scratch, |at, least| {
                marginals[token_costs[at].number] = least.map(whole);
            }));
        } else {
            ordered::backward(rank_costs, rank_layers, *list_len, |at, least| {
                let marginals = &mut marginals[rank_costs[at].number];
                marginals[BLOCK - 1] = whole(least[BLOCK - 1]);
                for rank in 0..*list_len {
                    marginals[order.position_of(rank, *list_len)] = whole(least[rank]);
                }
            });
        }
        Some(minimum)
    }

    fn marginal(&self, token: usize, option: u32) -> i64 {
        i64::from(self.marginals[token][option as usize])
    }

    fn count(&mut self, rows: &ClassRows, region: &Region) -> f64 {
        if self.order == Order::Any {
            return self.sum_over_lists(rows, region, None);
        }
        let free = vec![0.0; rows.rows.len()];
        match self.forward(rows, region, &free, false) {
            None => 0.0,
            Some(_) => ordered::count(&self.rank_costs, self.list_len),
        }
    }

    fn count_with_transitions(
        &mut self,
        rows: &ClassRows,
        region: &Region,
        allowed: &dyn Fn(usize, Option<u16>, u16) -> bool,
    ) -> f64 {
        self.calls += 1;
        if region.options().contains(&0) || self.order != Order::Any {
            return 0.0;
        }
        kernels::first_sums(&mut self.sums, self.list_len)[0] = 1.0;
        if rows.low > 0 {
            let sums = transitions::sums_up_to_d(rows, region, allowed);
            kernels::first_sums(&mut self.sums, self.list_len).copy_from_slice(&sums);
        }
        self.sum_from(rows, region, rows.low, None)
    }
}

/// The result of a forward pass: the minimum without SEP's cost, that cost, and units per cost of 1.
#[derive(Clone, Copy)]
struct Quantized {
    units: i32,
    constant: i32,
    scale: f64,
}

/// cost · scale rounded down to units, or one unit below that.
fn round_down(cost: f64, scale: f64) -> i32 {
    // Adding this rounds to the nearest whole number, which then stands in the low bits.
    const MAGIC: f64 = (3_u64 << 51) as f64;
    (cost * scale - 0.5 + MAGIC).to_bits() as u32 as i32
}

/// An upper bound of the absolute sums over the rows of a region's lists.
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
            let ranks = &costs[rows.low_start() + token * position..][..position];
            for (largest, cost) in largest[MOST_VALUES..].iter_mut().zip(ranks) {
                *largest = largest.max(cost.abs());
            }
        }
    }
    largest.iter().sum::<f64>() + costs[costs.len() - 1].abs() + f64::MIN_POSITIVE
}
