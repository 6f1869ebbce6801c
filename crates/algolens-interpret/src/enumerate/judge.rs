//! By how much answers are right.

use crate::Answer;
use algolens_core::{
    Error, Result, Scalar,
    engine::{Outcome, loss},
    task::{Dataset, Target},
};
use ndarray::{ArrayView1, ArrayView3};

/// One scored prediction.
pub(crate) struct Judged {
    /// The position that predicts.
    pub position: usize,
    pub weight: f64,
    pub loss: f64,
    pub margin: f64,
    /// The largest logit, by its size; at least 1.
    pub scale: f64,
    /// What the model says and what is right, where it is wrong.
    pub wrong: Option<Box<[Answer; 2]>>,
    /// What changed in f64, where it was run again.
    pub again: Option<Again>,
}

/// What changed when a prediction was run again in f64.
pub(crate) struct Again {
    /// Whether it is right in one of the precisions only.
    pub changed: bool,
    /// By how much the margin changed.
    pub change: f64,
}

/// Each prediction, example by example; none where it is not scored.
pub(crate) fn judge<T: Scalar>(logits: ArrayView3<T>, data: &Dataset) -> Result<Vec<Option<Judged>>> {
    let outcomes = loss::outcomes(logits, data.targets());
    let predictions = logits.rows().into_iter().zip(data.targets().iter());
    let mut all = Vec::with_capacity(outcomes.len());
    for (((row, (target, weight)), outcome), position) in
        predictions.zip(&outcomes).zip(data.positions().iter().cycle())
    {
        all.push((weight > 0.0).then(|| judged(row, target, *position, outcome)).transpose()?);
    }
    Ok(all)
}

fn judged<T: Scalar>(row: ArrayView1<T>, target: Target, position: usize, outcome: &Outcome) -> Result<Judged> {
    let Outcome { log_prob, weight, .. } = *outcome;
    if !log_prob.is_finite() {
        return Err(Error::invalid(format!("log-probability at position {position}"), "a finite number", log_prob));
    }
    let margin = margin(row, target);
    let scale = row.iter().fold(1.0, |scale: f64, logit| scale.max(logit.as_f64().abs()));
    let wrong = (margin <= 0.0).then(|| Box::new([Answer::said(row, target), target.classes().into()]));
    Ok(Judged { position, weight: weight.into(), loss: -log_prob, margin, scale, wrong, again: None })
}

/// By how many logits what is right is above everything else; negative where it is not, and infinite where nothing else is.
///
/// Of a class: its logit less the largest other. Of a set: the least inside less the largest outside. Of a distribution: the
/// largest among the likeliest classes less the largest among the others. A tie is 0.
fn margin<T: Scalar>(logits: ArrayView1<T>, target: Target) -> f64 {
    match target {
        Target::Class(class) => logits[class as usize].as_f64() - largest(logits, |other| other != class as usize),
        Target::Set(set) => {
            let inside = logits.iter().zip(set).filter(|(_, is)| **is).map(|(logit, _)| logit.as_f64());
            inside.fold(f64::INFINITY, f64::min) - largest(logits, |class| !set[class])
        }
        Target::Distribution(probs) => {
            let most = probs.iter().copied().fold(0.0, f32::max);
            largest(logits, |class| probs[class] == most) - largest(logits, |class| probs[class] < most)
        }
    }
}

/// The largest logit of the chosen classes.
fn largest<T: Scalar>(logits: ArrayView1<T>, chosen: impl Fn(usize) -> bool) -> f64 {
    let largest = |largest: T, (class, logit): (usize, &T)| if chosen(class) { largest.max(*logit) } else { largest };
    logits.iter().enumerate().fold(T::neg_infinity(), largest).as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn margins_are_the_smallest_lead_of_what_is_right() {
        let logits = array![1.0_f32, 4.0, 2.5, 4.0];
        assert_eq!([1, 2].map(|class| margin(logits.view(), Target::Class(class))), [0.0, -1.5]);
        for (set, expected) in [
            (array![false, true, false, true], 1.5),
            (array![true, false, false, true], -3.0),
            (array![true, true, true, true], f64::INFINITY),
        ] {
            assert_eq!(margin(logits.view(), Target::Set(set.view())), expected);
        }
        for (probs, expected) in [(array![0.4, 0.2, 0.4, 0.0], -1.5), (array![0.1, 0.5, 0.2, 0.2], 0.0)] {
            assert_eq!(margin(logits.view(), Target::Distribution(probs.view())), expected);
        }
        assert_eq!(margin(array![3.0].view(), Target::Class(0)), f64::INFINITY);
    }
}
