//! The oracle of lists of any values, of which the largest is known: a product over positions, but that the largest value
//! stands somewhere.

use super::{
    interface::{Costs, Minimum, Oracle},
    region::Region,
};
use crate::{ClassRows, MOST_VALUES};

/// Exact optimizer over the lists of a region, with its buffers.
#[derive(Debug, Default)]
pub struct Product {
    /// Least cost at each position, and the number of a token that has it.
    least: Vec<(i64, usize)>,
    /// What it costs more to have the largest value at each position.
    penalties: Vec<i64>,
    /// Costs in units `[token · list_len + position]`; [`NEVER`] where an option is not allowed.
    units: Vec<i64>,
    constant: i64,
    /// The costs, all finite.
    costs: Vec<f64>,
    calls: u64,
}

/// So large that the costs of a list add up.
const MOST_COST: f64 = 1e300;

/// The cost of what is not allowed: more than any list costs, and than any 32 bits hold.
const NEVER: i64 = 1 << 58;
/// The largest sum of a list's absolute costs, in units: attention weights of one list may be that much smaller than those of
/// another.
const RANGE: f64 = (1_u64 << 54) as f64;

impl Product {
    /// Quantizes the costs of a region's options, and finds the least at each position; units per cost of 1, none if a
    /// position has no option.
    fn prepare(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<f64> {
        self.calls += 1;
        // What no number is costs nothing: such a functional proves nothing, and need not.
        self.costs.clear();
        let finite = |cost: &f64| if cost.is_nan() { 0.0 } else { cost.clamp(-MOST_COST, MOST_COST) };
        self.costs.extend(costs.iter().map(finite));
        let costs = &self.costs;
        let list_len = rows.list_len();
        let fixed = &costs[rows.fixed..];
        let mut largest = [0.0_f64; MOST_VALUES];
        let allowed = |token: usize, position: usize| region.options()[token] >> position & 1 == 1;
        for (token, costs) in costs[..rows.fixed].chunks(list_len).enumerate() {
            for (position, cost) in costs.iter().enumerate().filter(|(position, _)| allowed(token, *position)) {
                largest[position] = largest[position].max(cost.abs());
            }
        }
        let all = largest.iter().sum::<f64>() + fixed.iter().map(|cost| cost.abs()).sum::<f64>();
        let scale = (RANGE / (all + f64::MIN_POSITIVE)).min(f64::MAX);
        // What the product rounds is no more than its 2⁻⁵²th part.
        let units = |cost: f64| (cost * scale - (cost * scale).abs() * f64::EPSILON).floor() as i64;
        self.constant = fixed.iter().map(|cost| units(*cost)).sum();
        self.units.clear();
        self.least.clear();
        self.least.resize(list_len, (NEVER, 0));
        for (token, costs) in costs[..rows.fixed].chunks(list_len).enumerate() {
            for (position, cost) in costs.iter().enumerate() {
                let cost = if allowed(token, position) { units(*cost) } else { NEVER };
                self.units.push(cost);
                if cost < self.least[position].0 {
                    self.least[position] = (cost, token);
                }
            }
        }
        let with_largest = &self.units[(rows.tokens.len() - 1) * list_len..];
        self.penalties.clear();
        self.penalties.extend(with_largest.iter().zip(&self.least).map(|(cost, (least, _))| cost - least));
        self.least.iter().all(|(least, _)| *least < NEVER).then_some(scale)
    }

    /// The minimum of what was prepared; none if the largest value stands nowhere.
    fn solve(&self, rows: &ClassRows, scale: f64) -> Option<Minimum> {
        let (penalty, position) = self.penalty_but(None)?;
        let mut list = [0; MOST_VALUES];
        for (token, (_, least)) in list.iter_mut().zip(&self.least) {
            *token = rows.tokens[*least];
        }
        list[position] = *rows.tokens.last()?;
        Some(Minimum { units: self.constant + self.sum() + penalty, scale, list })
    }

    /// The sum of the least costs.
    fn sum(&self) -> i64 {
        self.least.iter().map(|(least, _)| least).sum()
    }

    /// The least penalty at a position other than this, and the position; none if the largest value may stand at none.
    fn penalty_but(&self, other: Option<usize>) -> Option<(i64, usize)> {
        let there = self.penalties.iter().enumerate().filter(|(position, _)| Some(*position) != other);
        let least = there.map(|(position, penalty)| (*penalty, position)).min()?;
        (least.0 < NEVER / 2).then_some(least)
    }
}

impl Oracle for Product {
    fn calls(&self) -> u64 {
        self.calls
    }

    fn minimum(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        let scale = self.prepare(rows, region, costs)?;
        self.solve(rows, scale)
    }

    fn minimum_and_marginals(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum> {
        let minimum = self.minimum(rows, region, costs)?;
        let (sum, list_len, largest) = (self.constant + self.sum(), rows.list_len(), rows.tokens.len() - 1);
        let elsewhere: Vec<i64> =
            (0..list_len).map(|at| self.penalty_but(Some(at)).map_or(NEVER, |(penalty, _)| penalty)).collect();
        // What was a cost becomes the least sum with it.
        for (at, cost) in self.units.iter_mut().enumerate() {
            let (token, position) = (at / list_len, at % list_len);
            if *cost < NEVER {
                let penalty = if token == largest { 0 } else { elsewhere[position] };
                *cost = sum - self.least[position].0 + *cost + penalty;
            }
        }
        Some(minimum)
    }

    fn marginal(&self, token: usize, option: u32) -> i64 {
        let list_len = self.least.len();
        if (option as usize) < list_len { self.units[token * list_len + option as usize] } else { NEVER }
    }

    fn count(&mut self, rows: &ClassRows, region: &Region) -> f64 {
        self.calls += 1;
        let (largest, list_len) = (rows.tokens.len() - 1, rows.list_len());
        let mut allowed = [0.0; MOST_VALUES];
        for options in &region.options()[..largest] {
            (0..list_len).for_each(|position| allowed[position] += f64::from(options >> position & 1));
        }
        let without: f64 = allowed[..list_len].iter().product();
        let last = region.options()[largest];
        let all: f64 = (0..list_len).map(|position| allowed[position] + f64::from(last >> position & 1)).product();
        all - without
    }

    fn count_with_transitions(
        &mut self,
        rows: &ClassRows,
        region: &Region,
        allowed: &dyn Fn(usize, Option<u16>, u16) -> bool,
    ) -> f64 {
        let largest = rows.tokens[rows.tokens.len() - 1];
        let is_first = rows.class.position == 0;
        if is_first || allowed(0, None, largest) { self.count(rows, region) } else { 0.0 }
    }
}
