//! Cross-entropy and accuracy.

use crate::{scalar::Scalar, task::Token};
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

impl Score {
    /// Mean cross-entropy, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.predictions as f64
    }

    /// Share of predictions that are right.
    pub fn accuracy(&self) -> f64 {
        self.right as f64 / self.predictions as f64
    }

    pub(crate) fn add(&mut self, other: Self) {
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

/// The score of logits `[batch, position, class]` against targets `[batch, position]`.
pub fn score<T: Scalar>(logits: ArrayView3<T>, targets: ArrayView2<Token>) -> Score {
    let mut score = Score::default();
    for (logits, targets) in logits.outer_iter().zip(targets.outer_iter()) {
        for (row, &target) in logits.outer_iter().zip(targets) {
            score.add(score_row(row, target as usize));
        }
    }
    score
}

fn score_row<T: Scalar>(logits: ArrayView1<T>, target: usize) -> Score {
    Score {
        loss_sum: log_sum_exp(logits) - logits[target].as_f64(),
        right: usize::from(argmax(logits) == target),
        predictions: 1,
    }
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
        score.add(score_row(row.view(), target as usize));
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
