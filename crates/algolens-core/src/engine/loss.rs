//! Cross-entropy and accuracy.

use crate::{Scalar, task::Token};
use ndarray::{ArrayView1, ArrayView2, ArrayView3, ArrayViewMut1, Axis};

/// How well a model predicts a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Cross-entropy in nats, summed over predictions.
    pub loss_sum: f64,
    /// Predictions whose largest logit is the right class.
    pub right: usize,
    /// Predictions.
    pub predictions: usize,
}

/// How well one class is predicted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Log-probability of the right class, in nats.
    pub log_prob: f64,
    /// Whether it has the largest logit (and is the first class that has).
    pub right: bool,
}

impl From<Outcome> for Score {
    fn from(outcome: Outcome) -> Self {
        Self { loss_sum: -outcome.log_prob, right: usize::from(outcome.right), predictions: 1 }
    }
}

impl FromIterator<Outcome> for Score {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut score = Self::default();
        outcomes.into_iter().for_each(|outcome| score.add(outcome.into()));
        score
    }
}

impl Score {
    /// Mean cross-entropy, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.predictions as f64
    }

    /// Share of predictions that are right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.predictions as f64
    }

    /// Adds the predictions of another score.
    pub fn add(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.right += other.right;
        self.predictions += other.predictions;
    }
}

/// The class with the largest logit; the first of equals.
pub fn argmax<T: Scalar>(logits: ArrayView1<T>) -> usize {
    let larger = |best: usize, at: usize| if logits[at] > logits[best] { at } else { best };
    (1..logits.len()).fold(0, larger)
}

/// log Σ exp(logits), computed in f64.
fn log_sum_exp<T: Scalar>(logits: ArrayView1<T>) -> f64 {
    let max = logits.iter().fold(T::neg_infinity(), |max, x| max.max(*x)).as_f64();
    max + logits.iter().map(|x| (x.as_f64() - max).exp()).sum::<f64>().ln()
}

/// Log-probabilities of the classes, in f64.
pub fn log_softmax<T: Scalar>(logits: ArrayView1<T>) -> Vec<f64> {
    let log_z = log_sum_exp(logits);
    logits.iter().map(|x| x.as_f64() - log_z).collect()
}

/// How well each target `[batch, position]` is predicted by logits `[batch, position, class]`, in their order.
pub fn outcomes<T: Scalar>(logits: ArrayView3<T>, targets: ArrayView2<Token>) -> Vec<Outcome> {
    let rows = logits.outer_iter().zip(targets.outer_iter());
    let sequence_outcomes = |(logits, targets): (ArrayView2<T>, ArrayView1<Token>)| -> Vec<Outcome> {
        let pairs = logits.outer_iter().zip(targets);
        pairs.map(|(row, target)| outcome(row, *target as usize)).collect()
    };
    rows.flat_map(sequence_outcomes).collect()
}

/// The score of logits `[batch, position, class]` against targets `[batch, position]`.
pub fn score<T: Scalar>(logits: ArrayView3<T>, targets: ArrayView2<Token>) -> Score {
    outcomes(logits, targets).into_iter().collect()
}

fn outcome<T: Scalar>(logits: ArrayView1<T>, target: usize) -> Outcome {
    Outcome { log_prob: logits[target].as_f64() - log_sum_exp(logits), right: argmax(logits) == target }
}

/// Replaces the logits `[prediction, class]` by `weight` times the gradient of the summed cross-entropy
/// (softmax − one-hot), and scores them.
pub(super) fn cross_entropy_gradient<T: Scalar>(
    mut logits: ndarray::ArrayViewMut2<T>,
    targets: ArrayView2<Token>,
    weight: T,
) -> Score {
    let mut score = Score::default();
    for (mut row, &target) in logits.axis_iter_mut(Axis(0)).zip(targets.iter()) {
        score.add(outcome(row.view(), target as usize).into());
        softmax_in_place(row.view_mut());
        row[target as usize] -= T::one();
        row.mapv_inplace(|x| x * weight);
    }
    score
}

/// Scores become weights that sum to 1; a row that is −∞ throughout becomes zeros, as in TransformerLens.
pub(super) fn softmax_in_place<T: Scalar>(mut row: ArrayViewMut1<T>) {
    let max = row.iter().fold(T::neg_infinity(), |max, x| max.max(*x));
    if max == T::neg_infinity() {
        row.fill(T::zero());
        return;
    }
    let mut sum = T::zero();
    for x in &mut row {
        *x = (*x - max).exp();
        sum += *x;
    }
    row.mapv_inplace(|x| x / sum);
}
