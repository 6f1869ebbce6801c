//! Attention over a class's rows, in ball arithmetic: weights, bounds of the final norm's scale, and logit differences.

use super::{
    ball::{Ball, BallRef, BallVec, above, rounding_of},
    circuits::Circuits,
    class::{Class, Members},
};

/// Numbering of a class's rows (*places*): a token at a position of the list, a token as a sorted value, what every list
/// has.
#[derive(Clone, Copy)]
pub(super) struct Places {
    list_len: usize,
    tokens: usize,
    position: usize,
    below: usize,
    /// How many every list has.
    always: usize,
}

impl Places {
    /// The numbering of a class.
    pub fn new(members: &Members, always: usize) -> Self {
        let Members { sizes, position, below, ref tokens, .. } = *members;
        Self { list_len: sizes.list_len, tokens: tokens.len(), position, below, always }
    }

    /// Place of a token (by number) at a position of the unsorted list.
    pub fn unsorted(self, token: usize, position: usize) -> usize {
        token * self.list_len + position
    }

    /// Place of a token (by number) as the sorted value of a rank before the target's.
    pub fn sorted(self, token: usize, rank: usize) -> usize {
        self.tokens * self.list_len + token * self.position + rank
    }

    /// Places of what every list has.
    pub fn always(self) -> std::ops::Range<usize> {
        let first = self.tokens * self.list_len + self.below * self.position;
        first..first + self.always
    }

    /// Number of places.
    fn count(self) -> usize {
        self.always().end
    }
}

/// A ball for each of a class's rows, `[place]`.
#[derive(Clone, Default)]
struct RowBalls {
    values: Vec<f64>,
    errors: Vec<f64>,
}

impl RowBalls {
    /// The balls in the places' order.
    fn of(numbers: impl Iterator<Item = Ball>) -> Self {
        let (values, errors) = numbers.map(|number| (number.value, number.error)).unzip();
        Self { values, errors }
    }

    /// The ball of a place.
    fn get(&self, at: usize) -> Ball {
        Ball { value: self.values[at], error: self.errors[at] }
    }

    /// The balls with radii that cover the rounding of `terms` more operations.
    fn widened(mut self, terms: usize) -> Self {
        for (value, error) in self.values.iter().zip(&mut self.errors) {
            *error = above(*error + rounding_of(terms) * value.abs());
        }
        self
    }
}

/// Attention of a class's predictions over its rows.
pub(super) struct Attention<'a> {
    circuits: &'a Circuits,
    /// The row where the prediction is made.
    predicting: usize,
    /// The circuits' row `[place]`.
    rows: Vec<usize>,
    /// The numbering of rows.
    pub places: Places,
    /// Attention weights before normalization `[head][place]`: e to the power of a score less the head's largest at any
    /// place. Multipliers of cells weigh heads against each other, so this constant is a part of the format.
    powers: Vec<RowBalls>,
    /// The same, with radii for sums over heads.
    wide_powers: Vec<RowBalls>,
    /// Bounds of the final norm's scale, if there is one.
    scale: Option<Scale>,
}

/// Lower and upper bound of the final norm's scale, as attention averages over rows.
struct Scale {
    /// The lower bound's constant part …
    at_least: Ball,
    /// … and its rows, `[head][place]`.
    along: Vec<RowBalls>,
    /// The upper bound's rows, `[head][place]`, and …
    apart: Vec<RowBalls>,
    /// … its constant part.
    rest: f64,
}

impl<'a> Attention<'a> {
    /// The attention of a class's predictions.
    pub fn new(circuits: &'a Circuits, class: &Class, members: &Members) -> Self {
        let sizes = circuits.sizes;
        let always = sizes.always_seen(class.position, class.token);
        let places = Places::new(members, always.len());
        let mut rows = vec![0; places.count()];
        places.always().zip(always).for_each(|(place, row)| rows[place] = row);
        for (number, &token) in members.tokens.iter().enumerate() {
            for position in 0..sizes.list_len {
                rows[places.unsorted(number, position)] = sizes.unsorted_row(position, token);
            }
            for rank in (0..members.position).filter(|_| number < members.below) {
                rows[places.sorted(number, rank)] = sizes.sorted_row(rank, token);
            }
        }
        let predicting = sizes.predicting_row(class.position, class.token);
        let powers: Vec<_> = (0..circuits.heads)
            .map(|h| {
                let scores: Vec<_> = rows.iter().map(|row| circuits.score(h, predicting, *row)).collect();
                let largest = scores.iter().fold(f64::NEG_INFINITY, |largest, score| largest.max(score.value));
                RowBalls::of(scores.into_iter().map(|score| (score - Ball::exact(largest)).exp()))
            })
            .collect();
        let wide_powers = powers.iter().map(|powers| powers.clone().widened(terms(circuits.heads))).collect();
        let mut attention = Self { circuits, predicting, rows, places, powers, wide_powers, scale: None };
        attention.scale = attention.bound_scale(members);
        attention
    }

    /// Bounds of the final norm's scale that are tight at the class's middle list; none without a final norm.
    fn bound_scale(&self, members: &Members) -> Option<Scale> {
        let norm = self.circuits.norm.as_ref()?;
        let heads = self.circuits.heads;
        let seen = self.seen_in(&members.middle(), members);
        let residual = self.circuits.residual(self.predicting);
        let width = residual.values.len();
        // Any vectors do for what follows; these need no errors.
        let averages: Vec<Vec<f64>> = (0..heads).map(|h| self.average(h, &seen, width)).collect();
        let mut sum = residual.values.to_vec();
        averages.iter().for_each(|average| sum.iter_mut().zip(average).for_each(|(sum, x)| *sum += x));
        // One more coordinate of all vectors makes eps a part of the length; the residual stream has it all.
        let eps_length = (Ball::exact(norm.eps) * Ball::exact(norm.width)).sqrt();
        sum.push(eps_length.value);
        let root = Ball::exact(norm.width).sqrt();
        let length = super::ball::length_above(&sum);

        let mut unit: Vec<f64> = sum.iter().map(|x| x / (length * (1.0 + 4.0 * f64::EPSILON))).collect();
        let eps_unit = unit.pop().unwrap_or(0.0);
        let unit = BallVec::exact(unit);
        let at_least = (unit.view().dot(residual) + Ball::exact(eps_unit) * eps_length) / root;

        let mut lack = residual.values.to_vec();
        let mut eps_lack = eps_length;
        let mut rounding = 0.0;
        let shares: Vec<(BallVec, f64)> = averages
            .iter()
            .map(|average| {
                let share: Vec<f64> = sum.iter().zip(average).map(|(x, m)| x / heads as f64 - m).collect();
                let eps_share = eps_length.value / heads as f64;
                lack.iter_mut().zip(&share).for_each(|(lack, x)| *lack -= x);
                eps_lack = eps_lack - Ball::exact(eps_share);
                let share = BallVec::exact(share);
                rounding += share.view().length;
                (share, eps_share)
            })
            .collect();
        // What the shares lack of the residual stream, with what its sum rounds.
        let rounding = rounding_of(2 * heads) * (rounding + residual.length);
        let lacking = super::ball::length_above(&lack) + residual.error + rounding;
        let lacking = above(lacking + eps_lack.value.abs() + eps_lack.error);
        let along =
            |h: usize| RowBalls::of(self.rows.iter().map(|row| unit.view().dot(self.circuits.output(h, *row)) / root));
        let apart = |h: usize| {
            let (share, eps_share) = &shares[h];
            let eps_part = Ball::exact(*eps_share) * Ball::exact(*eps_share);
            RowBalls::of(self.rows.iter().map(|row| {
                let length = share.view().length_of_sum(self.circuits.output(h, *row));
                (length * length + eps_part).sqrt() / root
            }))
        };
        Some(Scale {
            at_least,
            along: (0..heads).map(along).collect(),
            apart: (0..heads).map(apart).collect(),
            rest: (Ball::exact(lacking) / root).high(),
        })
    }

    /// The places that the prediction of an ascending list attends to.
    fn seen_in(&self, list: &[usize], members: &Members) -> Vec<usize> {
        let number = |token: &usize| members.tokens.iter().position(|other| other == token);
        let numbers: Vec<usize> = list.iter().filter_map(number).collect();
        let unsorted = numbers.iter().enumerate().map(|(position, number)| self.places.unsorted(*number, position));
        let sorted = numbers.iter().take(if members.below > 0 { members.position } else { 0 }).enumerate();
        let sorted = sorted.map(|(rank, number)| self.places.sorted(*number, rank));
        unsorted.chain(self.places.always()).chain(sorted).collect()
    }

    /// The output of head `h` to the residual stream when it attends to these places, rounded.
    fn average(&self, h: usize, seen: &[usize], width: usize) -> Vec<f64> {
        let powers = &self.powers[h].values;
        let total: f64 = seen.iter().map(|place| powers[*place]).sum();
        let mut average = vec![0.0; width];
        if total > 0.0 {
            for place in seen {
                let output: BallRef<'_> = self.circuits.output(h, self.rows[*place]);
                let weight = powers[*place] / total;
                average.iter_mut().zip(output.values).for_each(|(sum, x)| *sum += weight * x);
            }
        }
        average
    }

    /// The difference of two answers' logits, winner less loser less the slack, as attention averages.
    pub fn logit_difference(&self, winner: usize, loser: usize, slack: f64) -> LogitDifference {
        let circuits = self.circuits;
        let constant = circuits.constant(winner) - circuits.constant(loser) - Ball::exact(slack);
        // The scale is positive: a lower constant is a lower bound.
        let constant = Ball::exact(constant.low());
        let direct = circuits.direct(self.predicting, winner) - circuits.direct(self.predicting, loser);
        let (base, scale_bound) = match &self.scale {
            None => (direct + constant, None),
            Some(scale) if constant.value >= 0.0 => (direct + constant * scale.at_least, Some(&scale.along)),
            Some(scale) => (direct + constant * Ball::exact(scale.rest), Some(&scale.apart)),
        };
        let sums = (0..circuits.heads)
            .map(|h| {
                let values = self.rows.iter().enumerate().map(|(place, row)| {
                    let value = circuits.advantage(h, *row, winner, loser);
                    let value = scale_bound.map_or(value, |scale| value + constant * scale[h].get(place));
                    value * self.powers[h].get(place)
                });
                RowBalls::of(values).widened(terms(circuits.heads))
            })
            .collect();
        LogitDifference { sums, threshold: -base }
    }

    /// Lower bounds `[place]` of a functional's costs: Σ over heads of n · (its weighted value) + d · (its weight).
    pub fn costs(&self, difference: &LogitDifference, factors: &[Factor], costs: &mut Vec<f64>) {
        costs.clear();
        costs.resize(self.places.count(), 0.0);
        for ((factor, n), d) in factors.iter().zip(&difference.sums).zip(&self.wide_powers) {
            if *factor == Factor::default() {
                continue;
            }
            let errors = (factor.n.abs(), factor.d.abs());
            let (n, d) = (n.values.iter().zip(&n.errors), d.values.iter().zip(&d.errors));
            for (cost, ((n, n_error), (d, d_error))) in costs.iter_mut().zip(n.zip(d)) {
                *cost += (factor.n * n + factor.d * d) - (errors.0 * n_error + errors.1 * d_error);
            }
        }
    }
}

/// Number of operations that round a cost, with room.
fn terms(heads: usize) -> usize {
    6 * heads + 6
}

/// The difference of two answers' logits on a class's lists. The winner dominates where Σ over heads of ρ exceeds the
/// threshold, ρ a head's attention average of the rows' values.
pub(super) struct LogitDifference {
    /// Weight times value, `[head][place]`.
    sums: Vec<RowBalls>,
    /// The threshold of Σ ρ.
    threshold: Ball,
}

impl LogitDifference {
    /// The number that Σ ρ must exceed.
    pub fn threshold(&self) -> Ball {
        self.threshold
    }
}

/// Coefficients of one head in a functional: n · Σ (weight · value) + d · Σ weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Factor {
    pub n: f64,
    pub d: f64,
}
