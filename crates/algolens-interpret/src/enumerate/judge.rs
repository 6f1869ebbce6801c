//! By how much an answer is right.

use algolens_core::{Scalar, task::Target};
use ndarray::ArrayView1;

/// By how many logits what is right is above everything else; negative where it is not, and infinite where nothing else is.
///
/// Of a class: its logit less the largest other. Of a set: the least inside less the largest outside. Of a distribution: the
/// largest among the likeliest classes less the largest among the others. A tie is 0.
pub fn margin<T: Scalar>(logits: ArrayView1<T>, target: Target) -> f64 {
    let largest = |chosen: &dyn Fn(usize) -> bool| {
        let logits = logits.iter().enumerate().filter(|(class, _)| chosen(*class)).map(|(_, logit)| logit.as_f64());
        logits.fold(f64::NEG_INFINITY, f64::max)
    };
    match target {
        Target::Class(class) => logits[class as usize].as_f64() - largest(&|other| other != class as usize),
        Target::Set(set) => {
            let inside = logits.iter().zip(set).filter(|(_, is)| **is).map(|(logit, _)| logit.as_f64());
            inside.fold(f64::INFINITY, f64::min) - largest(&|class| !set[class])
        }
        Target::Distribution(probs) => {
            let most = probs.iter().copied().fold(0.0, f32::max);
            largest(&|class| probs[class] == most) - largest(&|class| probs[class] < most)
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
