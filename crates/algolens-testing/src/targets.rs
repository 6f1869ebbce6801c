//! Random targets of every kind, and what they lose by their definitions.

use crate::{index, larger};
use algolens_core::{
    random::{self, Twister},
    task::{Right, Targets, Token},
};
use ndarray::{Array2, Array3, ArrayView3};

/// A kind of targets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TargetKind {
    Classes,
    Sets,
    Distributions,
}

/// Every kind there is.
pub const TARGET_KINDS: [TargetKind; 3] = [TargetKind::Classes, TargetKind::Sets, TargetKind::Distributions];

/// Random targets `[example, predicted position]` over so many classes.
pub fn random_targets(kind: TargetKind, (examples, predictions): (usize, usize), classes: usize, seed: u64) -> Targets {
    let mut rng = random::stream(seed, "test/targets");
    let shape = (examples, predictions);
    match kind {
        TargetKind::Classes => Array2::from_shape_simple_fn(shape, || index(&mut rng, classes) as Token).into(),
        TargetKind::Sets => {
            let mut sets = Array3::from_shape_simple_fn((examples, predictions, classes), || index(&mut rng, 3) == 0);
            sets.rows_mut().into_iter().for_each(|mut set| set[index(&mut rng, classes)] = true);
            sets.into()
        }
        TargetKind::Distributions => {
            let number = |rng: &mut Twister| if index(rng, 3) == 0 { 0.0 } else { random::uniform24(rng) };
            let mut all = Array3::from_shape_simple_fn((examples, predictions, classes), || number(&mut rng));
            for mut row in all.rows_mut() {
                row[index(&mut rng, classes)] += 1.0;
                let sum = row.sum();
                row.mapv_inplace(|x| x / sum);
            }
            all.into()
        }
    }
}

/// Weights of 0, 0.5, 1 or 1.5, one of which is not 0.
pub fn random_weights((examples, predictions): (usize, usize), seed: u64) -> Array2<f32> {
    let mut rng = random::stream(seed, "test/weights");
    let mut weights = Array2::from_shape_simple_fn((examples, predictions), || index(&mut rng, 4) as f32 / 2.0);
    if let Some(first) = weights.first_mut() {
        *first = 1.0;
    }
    weights
}

/// What logits `[example, predicted position, class]` lose and how many are right, by the definitions alone: for each
/// prediction its loss, whether it is right, and its weight.
pub fn losses(logits: ArrayView3<f64>, targets: &Targets) -> Vec<(f64, bool, f64)> {
    let (examples, predictions, classes) = logits.dim();
    let mut all = Vec::new();
    for example in 0..examples {
        for at in 0..predictions {
            let logit = |class: usize| logits[[example, at, class]];
            let most = (0..classes).fold(f64::NEG_INFINITY, |most, class| larger(logit(class), most));
            let sum: f64 = (0..classes).map(|class| (logit(class) - most).exp()).sum();
            let prob = |class: usize| (logit(class) - most).exp() / sum;
            // Earlier classes are above later ones of the same logit.
            let above = |a: usize, b: usize| logit(a) > logit(b) || (logit(a) == logit(b) && a < b);
            let all_above = |is_right: &dyn Fn(usize) -> bool| {
                let pairs = || (0..classes).flat_map(|a| (0..classes).map(move |b| (a, b)));
                pairs().filter(|(a, b)| is_right(*a) && !is_right(*b)).all(|(a, b)| above(a, b))
            };
            let (loss, right) = match &targets.right {
                Right::Classes(right) => {
                    let right = right[[example, at]] as usize;
                    (-prob(right).ln(), all_above(&|class| class == right))
                }
                Right::Sets(sets) => {
                    let is_right = |class: usize| sets[[example, at, class]];
                    let pairs = || (0..classes).flat_map(|a| (0..classes).map(move |b| (a, b)));
                    let pairs = pairs().filter(|(a, b)| !is_right(*a) && is_right(*b));
                    let loss = (1.0 + pairs.map(|(a, b)| (logit(a) - logit(b)).exp()).sum::<f64>()).ln();
                    (loss, all_above(&is_right))
                }
                Right::Distributions(all) => {
                    let target = |class: usize| f64::from(all[[example, at, class]]);
                    let first = (0..classes).find(|a| (0..classes).all(|b| *a == b || above(*a, b)));
                    let likeliest = |class: usize| (0..classes).all(|other| target(other) <= target(class));
                    let loss =
                        (0..classes).filter(|class| target(*class) > 0.0).map(|c| -target(c) * prob(c).ln()).sum();
                    (loss, first.is_some_and(likeliest))
                }
            };
            let weight = targets.weights.as_ref().map_or(1.0, |weights| f64::from(weights[[example, at]]));
            all.push((loss, right, weight));
        }
    }
    all
}

/// The mean of losses by weight, or of what is right.
pub fn mean_by_weight(losses: &[(f64, bool, f64)], number: impl Fn(f64, bool) -> f64) -> f64 {
    let sum: f64 = losses.iter().filter(|(.., w)| *w > 0.0).map(|(loss, right, w)| number(*loss, *right) * w).sum();
    sum / losses.iter().map(|(.., w)| w).sum::<f64>()
}
