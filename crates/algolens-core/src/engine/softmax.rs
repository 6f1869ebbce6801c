//! Softmax over padded rows: of scores into a pattern, and of logits into a prediction.

use super::{
    loss::Outcome,
    vector::{change, exp_row, lanes_from, max_of, scale_row, walk},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// Scores of one query become its pattern: softmax over the first `seen`, zero behind them.
#[simd]
pub fn pattern<S: Simd>(simd: S, scores: &mut [f32], seen: usize) {
    let mut max = S::f32s::splat(simd, f32::NEG_INFINITY);
    change(
        simd,
        [&mut *scores],
        [],
        #[inline(always)]
        |key, [score], []| {
            let score = seen_or_hidden(simd, score, key, seen);
            max = max.max(score);
            [score]
        },
    );
    let sum = exp_row(simd, scores, max.reduce_max());
    scale_row(simd, scores, sum.recip());
}

/// Scores become weights that sum to 1; a row that is −∞ throughout becomes zeros.
#[simd]
pub fn softmax<S: Simd>(simd: S, scores: &mut [f32]) {
    let max = max_of(simd, scores);
    if max == f32::NEG_INFINITY {
        scores.fill(0.0);
        return;
    }
    let sum = exp_row(simd, scores, max);
    scale_row(simd, scores, sum.recip());
}

/// The scores of the keys from `first` on; −∞ from key `seen` on.
#[inline(always)]
pub fn seen_or_hidden<S: Simd>(simd: S, scores: S::f32s, first: usize, seen: usize) -> S::f32s {
    let limit = S::f32s::splat(simd, seen as f32);
    lanes_from(simd, first).simd_lt(limit).select(scores, S::f32s::splat(simd, f32::NEG_INFINITY))
}

/// How a row of logits predicts a target.
#[derive(Clone, Copy, Default)]
pub struct Prediction {
    /// The largest logit.
    most: f32,
    target_logit: f32,
    right: bool,
    /// Of the exponentials.
    sum: f32,
    /// Of the exponentials but the largest, where that is most of `sum`: in f32 this has the digits that `sum` − 1 has lost.
    /// Else `sum` − 1.
    others: f32,
}

impl Prediction {
    /// Of padded logits, before their exponentials are known.
    #[inline(always)]
    pub fn of<S: Simd>(simd: S, logits: &[f32], target: usize) -> Self {
        let (most, target_logit) = (max_of(simd, logits), logits[target]);
        // The first of equals is the prediction.
        let right = target_logit == most && logits[..target].iter().fold(true, |first, logit| first & (*logit != most));
        Self { most, target_logit, right, sum: 1.0, others: 0.0 }
    }

    /// Replaces the logits by their exponentials less the largest logit.
    #[inline(always)]
    pub fn exponentials<S: Simd>(&mut self, simd: S, logits: &mut [f32]) {
        self.sum = exp_row(simd, logits, self.most);
        // One exponential is 1, and of all others together no more than half that.
        self.others = if self.sum < 1.5 { sum_below_one(simd, logits) } else { self.sum - 1.0 };
    }

    /// How well the target, which counts 1, is predicted, once the exponentials are known.
    #[inline(always)]
    pub fn outcome(&self) -> Outcome {
        let log_prob = f64::from(self.target_logit - self.most) - f64::from(self.others).ln_1p();
        Outcome { log_prob, right: self.right, weight: 1.0 }
    }

    /// Replaces the exponentials by `weight` times the gradient of the target's cross-entropy (softmax − one-hot).
    #[inline(always)]
    pub fn gradient<S: Simd>(&self, simd: S, powers: &mut [f32], target: usize, weight: f32) {
        scale_row(simd, powers, weight / self.sum);
        if self.right {
            powers[target] = -weight * (self.others / self.sum);
        } else {
            powers[target] -= weight;
        }
    }
}

/// The sum of what is less than 1.
#[inline(always)]
fn sum_below_one<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let (one, zero) = (S::f32s::splat(simd, 1.0), S::f32s::splat(simd, 0.0));
    let mut sum = zero;
    walk(
        simd,
        [row],
        #[inline(always)]
        |_, [x]| sum += x.simd_lt(one).select(x, zero),
    );
    sum.reduce_sum()
}

/// Replaces padded logits by their exponentials less the largest logit.
#[inline(always)]
pub fn predict<S: Simd>(simd: S, logits: &mut [f32], target: usize) -> Prediction {
    let mut prediction = Prediction::of(simd, logits, target);
    prediction.exponentials(simd, logits);
    prediction
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch;
    use crate::{
        engine::{
            loss,
            vector::{
                LANES,
                tests::{cases, levels},
            },
        },
        task::{Target, Token},
    };
    use ndarray::aview1;
    use proptest::prelude::*;

    /// A loss of 1e-9 and its gradient, of which a sum of exponentials in f32 has no digit.
    #[test]
    fn sure_predictions_keep_the_digits_of_what_they_lose() {
        let logits = [3.0, 23.5, 2.0, 1.0];
        let expected = loss::log_softmax(aview1(&logits))[1];
        assert!((-expected - 1.9e-9).abs() < 1e-10, "{expected}");
        let mut padded = logits.to_vec();
        padded.resize(LANES, f32::NEG_INFINITY);
        for level in levels() {
            let mut row = padded.clone();
            let prediction = dispatch!(level, simd => {
                let prediction = predict(simd, &mut row, 1);
                prediction.gradient(simd, &mut row, 1, 2.0);
                prediction
            });
            assert!((prediction.outcome().log_prob / expected - 1.0).abs() < 1e-6, "{level:?}");
            assert!((f64::from(row[1]) / (2.0 * expected) - 1.0).abs() < 1e-6, "{level:?}: {}", row[1]);
        }
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn patterns_are_softmaxes_of_what_is_seen(scores in prop::collection::vec(-30.0_f32..30.0, LANES), seen in 1..=LANES) {
            let log_probs = loss::log_softmax(aview1(&scores[..seen]));
            for level in levels() {
                let mut found = scores.clone();
                dispatch!(level, simd => pattern(simd, &mut found, seen));
                for (found, log_prob) in found.iter().zip(&log_probs) {
                    prop_assert!((f64::from(*found) - log_prob.exp()).abs() < 1e-6, "{:?}", level);
                }
                prop_assert!(found[seen..].iter().all(|weight| *weight == 0.0), "{:?}", level);
            }
        }

        #[test]
        fn predictions_are_those_of_the_logits(
            logits in prop::collection::vec((-8..8_i8).prop_map(f32::from), 1..2 * LANES), target in any::<prop::sample::Index>(),
        ) {
            let target = target.index(logits.len());
            let expected = loss::log_softmax(aview1(&logits))[target];
            let right = loss::argmax(aview1(&logits)) == target;
            prop_assert_eq!(loss::outcome(aview1(&logits), Target::Class(target as Token)).right, right);
            let mut padded = logits.clone();
            padded.resize(2 * LANES, f32::NEG_INFINITY);
            for level in levels() {
                let mut row = padded.clone();
                let prediction = dispatch!(level, simd => predict(simd, &mut row, target));
                let outcome = prediction.outcome();
                prop_assert!((outcome.log_prob - expected).abs() < 1e-5, "{:?}", level);
                prop_assert_eq!(outcome.right, right, "{:?}", level);
                prop_assert!((f64::from(row[target] / prediction.sum) - expected.exp()).abs() < 1e-6, "{:?}", level);
            }
        }
    }
}
