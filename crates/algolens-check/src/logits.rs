//! The logits of a single list, in ball arithmetic.

use super::{
    ball::{Ball, BallVec, above, rounding_of},
    circuits::Circuits,
    sizes::Asks,
};

/// The logits `[output token]` of prediction `position` of a list.
pub(super) fn logits(circuits: &Circuits, list: &[usize], position: usize) -> Vec<Ball> {
    let sizes = circuits.sizes;
    let (token, _) = sizes.asked(list, position);
    let mut read = if sizes.asks == Asks::Sorted { list.to_vec() } else { Vec::new() };
    read.sort_unstable();
    let predicting = sizes.predicting_row(position, token);
    let unsorted = list.iter().enumerate().map(|(at, token)| sizes.unsorted_row(at, *token));
    let sorted = read.iter().take(position).enumerate().map(|(rank, token)| sizes.sorted_row(rank, *token));
    let rows: Vec<usize> = unsorted.chain(sizes.always_seen(position, token)).chain(sorted).collect();

    let residual = circuits.residual(predicting);
    let mut stream = Sum::new(residual.values.to_vec(), residual.error);
    let direct = (0..circuits.outputs).map(|output| circuits.direct(predicting, output));
    let (direct, errors): (Vec<f64>, Vec<f64>) = direct.map(|logit| (logit.value, logit.error)).unzip();
    let mut sums = Sum::new(direct, errors.into_iter().fold(0.0, f64::max));
    for h in 0..circuits.heads {
        let scores: Vec<_> = rows.iter().map(|row| circuits.score(h, predicting, *row)).collect();
        let largest = scores.iter().fold(f64::NEG_INFINITY, |largest, score| largest.max(score.value));
        let powers: Vec<_> = scores.iter().map(|score| (*score - Ball::exact(largest)).exp()).collect();
        let total = powers.iter().fold(Ball::default(), |sum, power| sum + *power);
        for (row, power) in rows.iter().zip(powers) {
            let weight = power / total;
            stream.add(weight, circuits.output(h, *row));
            sums.add(weight, circuits.logits(h, *row));
        }
    }
    let scale = match &circuits.norm {
        Some(norm) => super::circuits::scale_of(&stream.whole(), norm.eps),
        None => Ball::exact(1.0),
    };
    let sums = sums.whole();
    (0..circuits.outputs).map(|output| sums.number(output) / scale + circuits.constant(output)).collect()
}

/// The margin of an answer: its logit less the largest other; infinite radius if a logit is not finite.
pub(super) fn margin(logits: &[Ball], answer: usize) -> Ball {
    let others = logits.iter().enumerate().filter(|(output, _)| *output != answer);
    let margins = others.map(|(_, other)| logits[answer] - *other);
    // The least is between the least of both bounds.
    let (mut low, mut high) = (f64::INFINITY, f64::INFINITY);
    for margin in margins {
        // NaN is no bound.
        if !margin.is_finite() {
            return Ball { value: f64::NAN, error: f64::INFINITY };
        }
        low = low.min(margin.low());
        high = high.min(margin.high());
    }
    let value = (low + high) / 2.0;
    Ball { value, error: above((value - low).max(high - value)) }
}

/// Accumulator of a weighted sum of balls of vectors.
struct Sum {
    values: Vec<f64>,
    error: f64,
    /// Sum of the norms of the terms, which bounds the rounding.
    added: f64,
    terms: usize,
}

impl Sum {
    /// A sum with a first term.
    fn new(values: Vec<f64>, error: f64) -> Self {
        let added = super::ball::length_above(&values);
        Self { values, error, added, terms: 1 }
    }

    /// Adds a weighted vector.
    fn add(&mut self, weight: Ball, vector: super::ball::BallRef<'_>) {
        self.values.iter_mut().zip(vector.values).for_each(|(sum, x)| *sum += weight.value * x);
        self.error += weight.value.abs() * vector.error + weight.error * (vector.length + vector.error);
        self.added += weight.value.abs() * vector.length;
        self.terms += 1;
    }

    /// The sum as a ball.
    fn whole(self) -> BallVec {
        let lost = (self.terms * self.values.len()) as f64 * f64::MIN_POSITIVE;
        let error = self.error + rounding_of(2 * self.terms) * self.added + lost;
        // The sum of the errors, of more terms than `above` covers.
        BallVec::new(self.values, error * (1.0 + rounding_of(4 * self.terms)))
    }
}
