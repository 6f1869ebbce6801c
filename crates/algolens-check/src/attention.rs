//! A class's rows: how much each is attended to, and what attending to it is worth in a contest of two answers.

use super::{
    bounded::{Bounded, Near, Owned, above, rounding_of},
    circuits::Circuits,
    class::{Class, Members},
};

/// Where the numbers of a class's rows are: a token at a position of the unsorted list, a token as a sorted value, `SEP`.
#[derive(Clone, Copy)]
pub(super) struct Places {
    list_len: usize,
    tokens: usize,
    position: usize,
    below: usize,
}

impl Places {
    pub fn new(members: &Members) -> Self {
        let Members { sizes, position, below, ref tokens, .. } = *members;
        Self { list_len: sizes.list_len, tokens: tokens.len(), position, below }
    }

    /// A token (by number) at a position of the unsorted list.
    pub fn unsorted(self, token: usize, position: usize) -> usize {
        token * self.list_len + position
    }

    /// A token (by number) as the sorted value of a rank before the right answer's.
    pub fn sorted(self, token: usize, rank: usize) -> usize {
        self.tokens * self.list_len + token * self.position + rank
    }

    /// `SEP`.
    pub fn sep(self) -> usize {
        self.tokens * self.list_len + self.below * self.position
    }

    /// All of them.
    fn count(self) -> usize {
        self.sep() + 1
    }
}

/// A number for each of a class's rows, known up to errors.
#[derive(Clone, Default)]
struct Numbers {
    values: Vec<f64>,
    errors: Vec<f64>,
}

impl Numbers {
    fn of(numbers: impl Iterator<Item = Bounded>) -> Self {
        let (values, errors) = numbers.map(|number| (number.value, number.error)).unzip();
        Self { values, errors }
    }

    fn get(&self, at: usize) -> Bounded {
        Bounded { value: self.values[at], error: self.errors[at] }
    }

    /// Makes the errors cover what `terms` more operations round.
    fn widened(mut self, terms: usize) -> Self {
        for (value, error) in self.values.iter().zip(&mut self.errors) {
            *error = above(*error + rounding_of(terms) * value.abs());
        }
        self
    }
}

/// What attention does in a class's lists.
pub(super) struct Attention<'a> {
    circuits: &'a Circuits,
    /// The row where the prediction is made.
    predicting: usize,
    /// The row at each place.
    rows: Vec<usize>,
    pub places: Places,
    /// e to the power of a score less the head's largest at any place, `[place]` of each head. Multipliers of cells weigh
    /// heads against each other, so this constant is a part of the format.
    powers: Vec<Numbers>,
    /// The same, with errors for sums over heads.
    wide_powers: Vec<Numbers>,
    scale: Option<Scale>,
}

/// Bounds of the final norm's scale that are averages over rows.
struct Scale {
    /// The scale is at least this …
    at_least: Bounded,
    /// … and averages of this, `[place]` of each head.
    along: Vec<Numbers>,
    /// It is at most averages of this and …
    apart: Vec<Numbers>,
    /// … no more than this.
    rest: f64,
}

impl<'a> Attention<'a> {
    pub fn new(circuits: &'a Circuits, class: &Class, members: &Members) -> Self {
        let sizes = circuits.sizes;
        let places = Places::new(members);
        let mut rows = vec![sizes.sep_row(); places.count()];
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
                Numbers::of(scores.into_iter().map(|score| (score - Bounded::exact(largest)).exp()))
            })
            .collect();
        let wide_powers = powers.iter().map(|powers| powers.clone().widened(terms(circuits.heads))).collect();
        let mut attention = Self { circuits, predicting, rows, places, powers, wide_powers, scale: None };
        attention.scale = attention.bound_scale(members);
        attention
    }

    /// The scale's bounds, from what attention does in the class's middle list.
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
        let of_eps = (Bounded::exact(norm.eps) * Bounded::exact(norm.width)).sqrt();
        sum.push(of_eps.value);
        let root = Bounded::exact(norm.width).sqrt();
        let length = super::bounded::length_above(&sum);

        let mut unit: Vec<f64> = sum.iter().map(|x| x / (length * (1.0 + 4.0 * f64::EPSILON))).collect();
        let of_unit = unit.pop().unwrap_or(0.0);
        let unit = Owned::exact(unit);
        let at_least = (unit.near().dot(residual) + Bounded::exact(of_unit) * of_eps) / root;

        let mut left = residual.values.to_vec();
        let mut left_of_eps = of_eps;
        let mut of_rounding = 0.0;
        let shares: Vec<(Owned, f64)> = averages
            .iter()
            .map(|average| {
                let share: Vec<f64> = sum.iter().zip(average).map(|(x, m)| x / heads as f64 - m).collect();
                let share_of_eps = of_eps.value / heads as f64;
                left.iter_mut().zip(&share).for_each(|(left, x)| *left -= x);
                left_of_eps = left_of_eps - Bounded::exact(share_of_eps);
                let share = Owned::exact(share);
                of_rounding += share.near().length;
                (share, share_of_eps)
            })
            .collect();
        // What the shares lack of the residual stream, with what its sum rounds.
        let of_rounding = rounding_of(2 * heads) * (of_rounding + residual.length);
        let lacking = super::bounded::length_above(&left) + residual.error + of_rounding;
        let lacking = above(lacking + left_of_eps.value.abs() + left_of_eps.error);
        let along =
            |h: usize| Numbers::of(self.rows.iter().map(|row| unit.near().dot(self.circuits.output(h, *row)) / root));
        let apart = |h: usize| {
            let (share, share_of_eps) = &shares[h];
            let of_eps = Bounded::exact(*share_of_eps) * Bounded::exact(*share_of_eps);
            Numbers::of(self.rows.iter().map(|row| {
                let length = share.near().length_of_sum(self.circuits.output(h, *row));
                (length * length + of_eps).sqrt() / root
            }))
        };
        Some(Scale {
            at_least,
            along: (0..heads).map(along).collect(),
            apart: (0..heads).map(apart).collect(),
            rest: (Bounded::exact(lacking) / root).high(),
        })
    }

    /// The places that a list (ascending, standing so in the unsorted list) shows the prediction.
    fn seen_in(&self, list: &[usize], members: &Members) -> Vec<usize> {
        let number = |token: &usize| members.tokens.iter().position(|other| other == token);
        let numbers: Vec<usize> = list.iter().filter_map(number).collect();
        let unsorted = numbers.iter().enumerate().map(|(position, number)| self.places.unsorted(*number, position));
        let sorted = numbers.iter().take(members.position).enumerate();
        let sorted = sorted.map(|(rank, number)| self.places.sorted(*number, rank));
        unsorted.chain([self.places.sep()]).chain(sorted).collect()
    }

    /// What head `h` adds to the residual stream on these places, about.
    fn average(&self, h: usize, seen: &[usize], width: usize) -> Vec<f64> {
        let powers = &self.powers[h].values;
        let total: f64 = seen.iter().map(|place| powers[*place]).sum();
        let mut average = vec![0.0; width];
        if total > 0.0 {
            for place in seen {
                let output: Near<'_> = self.circuits.output(h, self.rows[*place]);
                let weight = powers[*place] / total;
                average.iter_mut().zip(output.values).for_each(|(sum, x)| *sum += weight * x);
            }
        }
        average
    }

    /// The contest of two answers: whether the winner's logit is above the loser's by more than the slack.
    pub fn contest(&self, winner: usize, loser: usize, slack: f64) -> Contest {
        let circuits = self.circuits;
        let constant = circuits.constant(winner) - circuits.constant(loser) - Bounded::exact(slack);
        // The scale is positive: a lower constant is a lower bound.
        let constant = Bounded::exact(constant.low());
        let direct = circuits.direct(self.predicting, winner) - circuits.direct(self.predicting, loser);
        let (base, of_scale) = match &self.scale {
            None => (direct + constant, None),
            Some(scale) if constant.value >= 0.0 => (direct + constant * scale.at_least, Some(&scale.along)),
            Some(scale) => (direct + constant * Bounded::exact(scale.rest), Some(&scale.apart)),
        };
        let sums = (0..circuits.heads)
            .map(|h| {
                let values = self.rows.iter().enumerate().map(|(place, row)| {
                    let value = circuits.advantage(h, *row, winner, loser);
                    let value = of_scale.map_or(value, |scale| value + constant * scale[h].get(place));
                    value * self.powers[h].get(place)
                });
                Numbers::of(values).widened(terms(circuits.heads))
            })
            .collect();
        Contest { sums, threshold: -base }
    }

    /// At most what each place costs where Σ over heads of n · (its weighted value) + d · (its weight) is the cost.
    pub fn costs(&self, contest: &Contest, factors: &[Factor], costs: &mut Vec<f64>) {
        costs.clear();
        costs.resize(self.places.count(), 0.0);
        for ((factor, n), d) in factors.iter().zip(&contest.sums).zip(&self.wide_powers) {
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

/// How many operations round a cost, with room.
fn terms(heads: usize) -> usize {
    6 * heads + 6
}

/// A contest of two answers in a class's lists. The winner wins where Σ over heads of ρ is above the threshold, ρ a head's
/// average of the rows' values.
pub(super) struct Contest {
    /// Weight times value, `[place]` of each head.
    sums: Vec<Numbers>,
    threshold: Bounded,
}

impl Contest {
    /// What Σ ρ must be above.
    pub fn threshold(&self) -> Bounded {
        self.threshold
    }
}

/// What a head's sums count in a cost: n · Σ (weight · value) + d · Σ weight.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Factor {
    pub n: f64,
    pub d: f64,
}
