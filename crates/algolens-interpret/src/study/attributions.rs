//! Direct logit attribution over data: what each component adds to the right answer.

use crate::{Subject, attribution};
use algolens_core::{
    Result,
    task::{Dataset, Target},
};
use ndarray::{ArrayView1, ArrayView3};

/// Most examples that attributions are averaged over.
const MOST_EXAMPLES: usize = 100;
/// Most numbers that their attributions are.
const MOST_NUMBERS: usize = 1 << 24;

/// The mean direct logit attribution of each component to the right answer, less its mean over classes (a constant that the
/// softmax ignores), over the scored predictions of the first examples of `data` that have any; components in the order of [`attribution`].
pub(super) fn mean_attribution(subject: Subject, data: &Dataset) -> Result<Vec<(String, f64)>> {
    let config = subject.model.config();
    let components = config.n_layers * (config.n_heads + 2) + 4;
    let each = components * data.positions().len() * config.d_vocab_out;
    let scored = |example: &usize| data.targets().slice(*example, example + 1).total_weight() > 0.0;
    let most = MOST_EXAMPLES.min(MOST_NUMBERS / each).max(1);
    let data = data.select(&(0..data.len()).filter(scored).take(most).collect::<Vec<_>>());
    let found = attribution(subject, data.tokens(), data.positions())?;
    let total = data.targets().total_weight();
    let mean = |contributions: ArrayView3<f64>| {
        let rows = contributions.rows().into_iter().zip(data.targets().iter());
        let margin = |(logits, (target, weight)): (ArrayView1<f64>, (Target, f32))| {
            f64::from(weight) * (right(logits, target) - logits.sum() / logits.len() as f64)
        };
        rows.map(margin).sum::<f64>() / total
    };
    let means: Vec<f64> = found.contributions.outer_iter().map(mean).collect();
    Ok(found.components.into_iter().zip(means).collect())
}

/// What is added to the right answer: to a class, or on average to the classes of a set or a distribution.
fn right(logits: ArrayView1<f64>, target: Target) -> f64 {
    match target {
        Target::Class(class) => logits[class as usize],
        Target::Set(set) => {
            let chosen: Vec<f64> = logits.iter().zip(set).filter(|(_, is)| **is).map(|(logit, _)| *logit).collect();
            chosen.iter().sum::<f64>() / chosen.len().max(1) as f64
        }
        Target::Distribution(probs) => logits.iter().zip(probs).map(|(logit, prob)| logit * f64::from(*prob)).sum(),
    }
}
