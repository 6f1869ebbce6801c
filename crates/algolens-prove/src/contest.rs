//! Two answers against each other, as sums over rows.

use super::ClassRows;

/// Whether an answer, the winner, is above another, the loser, by more than `slack` logits.
///
/// σ · (margin - slack) is at least `base + Σ_h ρ_h`, where head h's contribution ρ_h is an attention-weighted average of
/// rows: the head's output along the two answers, and its share of a bound on σ where that multiplies a constant.
#[derive(Clone, Debug)]
pub struct Contest<'a> {
    rows: &'a ClassRows<'a>,
    base: f64,
    /// e · contribution `[head][local row]`.
    weighted: Vec<Vec<f64>>,
}

/// The sums of one list in a contest.
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// N_h = Σ e contribution `[head]`.
    pub numerators: Vec<f64>,
    /// D_h = Σ e `[head]`.
    pub denominators: Vec<f64>,
}

impl Sums {
    /// ρ of a head.
    pub fn ratio(&self, head: usize) -> f64 {
        self.numerators[head] / self.denominators[head]
    }

    /// Σ_h ρ_h.
    pub fn sum_of_ratios(&self) -> f64 {
        (0..self.numerators.len()).map(|head| self.ratio(head)).sum()
    }

    /// The a_h and b_h with which `Σ_h a_h N_h - b_h D_h` is how Σ ρ_h changes from this list on, to first order.
    pub fn linear_part(&self) -> (Vec<f64>, Vec<f64>) {
        let a: Vec<f64> = self.denominators.iter().map(|d| 1.0 / d).collect();
        let b = a.iter().enumerate().map(|(head, a)| self.ratio(head) * a).collect();
        (a, b)
    }
}

impl<'a> Contest<'a> {
    /// The contest of two output classes on the lists of a class.
    pub fn new(rows: &'a ClassRows<'a>, winner: usize, loser: usize, slack: f64) -> Self {
        let tables = rows.tables;
        let constant = tables.beta[winner] - tables.beta[loser] - slack;
        let sigma = if constant >= 0.0 { &rows.sigma.low } else { &rows.sigma.high };
        let base = tables.B[[rows.destination, winner]] - tables.B[[rows.destination, loser]] + constant * sigma.base;
        let weighted = (0..tables.n_heads())
            .map(|head| {
                let of_rows = rows.rows.iter().zip(&rows.weights[head]).zip(&sigma.rows[head]);
                let g = &tables.G[head];
                of_rows
                    .map(|((&row, weight), sigma)| weight * (g[[row, winner]] - g[[row, loser]] + constant * sigma))
                    .collect()
            })
            .collect();
        Self { rows, base, weighted }
    }

    /// The winner wins where Σ_h ρ_h is at least this.
    pub fn threshold(&self) -> f64 {
        -self.base
    }

    /// Heads.
    pub fn n_heads(&self) -> usize {
        self.weighted.len()
    }

    /// The sums over the local rows of a list.
    pub fn sums(&self, rows: &[usize]) -> Sums {
        let sum = |of: &[f64]| rows.iter().map(|row| of[*row]).sum();
        Sums {
            numerators: self.weighted.iter().map(|of| sum(of)).collect(),
            denominators: self.rows.weights.iter().map(|of| sum(of)).collect(),
        }
    }

    /// The costs of `Σ_h a_h N_h - b_h D_h`.
    pub fn costs(&self, numerators: &[f64], denominators: &[f64], costs: &mut Vec<f64>) {
        costs.clear();
        costs.resize(self.rows.rows.len(), 0.0);
        for head in 0..self.n_heads() {
            let (a, b) = (numerators[head], denominators[head]);
            if a != 0.0 || b != 0.0 {
                let of_rows = self.weighted[head].iter().zip(&self.rows.weights[head]);
                costs.iter_mut().zip(of_rows).for_each(|(cost, (n, d))| *cost += a * n - b * d);
            }
        }
    }
}
