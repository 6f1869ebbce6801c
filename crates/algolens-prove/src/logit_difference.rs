//! The difference of two answers' logits as sums over attended rows.

use super::{Asks, ClassRows};

/// The difference of two answers' logits, winner less loser less `slack` (logits), bounded below on a class's lists.
///
/// σ · (margin - slack) is at least `base + Σ_h ρ_h`, where head h's contribution ρ_h is an attention-weighted average
/// of rows: the head's output along the two answers, and its share of a bound on σ where that multiplies a constant.
#[derive(Clone, Debug)]
pub struct LogitDifference<'a> {
    rows: &'a ClassRows<'a>,
    base: f64,
    /// e · contribution `[head][local row]`.
    weighted: Vec<Vec<f64>>,
    /// What of a cost a checker's rounding may take, as a share of what it is made of: where costs of lists are so different
    /// that a whole unit is not more.
    spare: f64,
}

/// Numerators and denominators of the attention averages ρ_h of one list.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// N_h = Σ e contribution `[head]`.
    pub numerators: Vec<f64>,
    /// D_h = Σ e `[head]`.
    pub denominators: Vec<f64>,
}

impl Sums {
    /// ρ_h = N_h / D_h, a head's attention-weighted average.
    pub fn ratio(&self, head: usize) -> f64 {
        self.numerators[head] / self.denominators[head]
    }

    /// Σ_h ρ_h: the bound less its base.
    pub fn sum_of_ratios(&self) -> f64 {
        (0..self.numerators.len()).map(|head| self.ratio(head)).sum()
    }

    /// The linearization of Σ ρ_h at this list: a_h and b_h such that it is `Σ_h a_h N_h - b_h D_h` to first order.
    pub fn linear_part(&self) -> (Vec<f64>, Vec<f64>) {
        let a: Vec<f64> = self.denominators.iter().map(|d| 1.0 / d).collect();
        let b = a.iter().enumerate().map(|(head, a)| self.ratio(head) * a).collect();
        (a, b)
    }
}

impl<'a> LogitDifference<'a> {
    /// The logit difference of two answers (output tokens) on the lists of a class.
    pub fn new(rows: &'a ClassRows<'a>, winner: usize, loser: usize, slack: f64) -> Self {
        let tables = rows.tables;
        let constant = tables.beta[winner] - tables.beta[loser] - slack;
        let sigma = if constant >= 0.0 { &rows.sigma.low } else { &rows.sigma.high };
        let base = tables.B[[rows.destination, winner]] - tables.B[[rows.destination, loser]] + constant * sigma.base;
        let weighted = (0..tables.n_heads())
            .map(|head| {
                let head_rows = rows.rows.iter().zip(&rows.weights[head]).zip(&sigma.rows[head]);
                let g = &tables.G[head];
                head_rows
                    .map(|((&row, weight), sigma)| weight * (g[[row, winner]] - g[[row, loser]] + constant * sigma))
                    .collect()
            })
            .collect();
        let spare = if rows.asks() == Asks::Sorted { 0.0 } else { 1e-11 };
        Self { rows, base, weighted, spare }
    }

    /// The threshold of Σ_h ρ_h from which on the winner dominates.
    pub fn threshold(&self) -> f64 {
        -self.base
    }

    /// Number of attention heads.
    pub fn n_heads(&self) -> usize {
        self.weighted.len()
    }

    /// Numerators and denominators of a list, given the local rows it attends to.
    pub fn sums(&self, rows: &[usize]) -> Sums {
        let sum = |numbers: &[f64]| rows.iter().map(|row| numbers[*row]).sum();
        Sums {
            numerators: self.weighted.iter().map(|numbers| sum(numbers)).collect(),
            denominators: self.rows.weights.iter().map(|numbers| sum(numbers)).collect(),
        }
    }

    /// Sets `costs` `[local row]` to those of the functional `Σ_h a_h N_h - b_h D_h`.
    pub fn costs(&self, numerators: &[f64], denominators: &[f64], costs: &mut Vec<f64>) {
        costs.clear();
        costs.resize(self.rows.rows.len(), 0.0);
        for head in 0..self.n_heads() {
            let (a, b) = (numerators[head], denominators[head]);
            if a != 0.0 || b != 0.0 {
                let sums = self.weighted[head].iter().zip(&self.rows.weights[head]);
                let spare = self.spare * (a.abs() * self.rows.tables.largest_output() + b.abs());
                costs.iter_mut().zip(sums).for_each(|(cost, (n, d))| *cost += a * n - b * d - spare * d);
            }
        }
    }
}
