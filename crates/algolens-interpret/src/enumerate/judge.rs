//! By how much answers are right.

use crate::Answer;
use algolens_core::{
    Error, Result, Scalar,
    engine::loss::{largest, outcome},
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
    let predictions = logits.rows().into_iter().zip(data.targets().iter()).zip(data.positions().iter().cycle());
    let judged = predictions
        .map(|((row, (target, weight)), position)| (weight > 0.0).then(|| judged(row, target, *position, weight)));
    let all: Vec<Option<Judged>> = judged.collect();
    match all.iter().flatten().find(|judged| !judged.loss.is_finite()) {
        None => Ok(all),
        Some(Judged { position, loss, .. }) => {
            Err(Error::invalid(format!("log-probability at position {position}"), "a finite number", -loss))
        }
    }
}

fn judged<T: Scalar>(row: ArrayView1<T>, target: Target, position: usize, weight: f32) -> Judged {
    let loss = -outcome(row, target).log_prob;
    let margin = margin(row, target);
    let scale =
        row.iter().fold(T::one(), |scale, logit| if logit.abs() > scale { logit.abs() } else { scale }).as_f64();
    let wrong = (margin <= 0.0).then(|| Box::new([Answer::said(row, target), target.classes().into()]));
    Judged { position, weight: weight.into(), loss, margin, scale, wrong, again: None }
}

/// By how many logits what is right is above everything else; negative where it is not, and infinite where nothing else is.
///
/// Of a class: its logit less the largest other. Of a set: the least inside less the largest outside. Of a distribution: the
/// largest among the likeliest classes less the largest among the others. A tie is 0.
fn margin<T: Scalar>(logits: ArrayView1<T>, target: Target) -> f64 {
    match target {
        Target::Class(class) => {
            let others = logits.iter().enumerate().filter(|(other, _)| *other != class as usize);
            logits[class as usize].as_f64() - largest(others.map(|(_, logit)| logit)).as_f64()
        }
        Target::Set(set) => {
            let of = |right: bool| logits.iter().zip(set).filter(move |(_, is)| **is == right).map(|(logit, _)| logit);
            of(true).copied().fold(T::infinity(), T::min).as_f64() - largest(of(false)).as_f64()
        }
        Target::Distribution(probs) => {
            let most = largest(probs);
            let of = |likeliest: bool| {
                let chosen = logits.iter().zip(probs).filter(move |(_, prob)| (**prob == most) == likeliest);
                chosen.map(|(logit, _)| logit)
            };
            largest(of(true)).as_f64() - largest(of(false)).as_f64()
        }
    }
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
