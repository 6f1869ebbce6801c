//! Direct logit attribution over data: what each component adds to the right answer.

use crate::{Subject, attribution};
use algolens_core::{Result, task::Dataset};
use ndarray::ArrayView3;

/// Most examples that attributions are averaged over.
const MOST_EXAMPLES: usize = 100;
/// Most numbers that their attributions are.
const MOST_NUMBERS: usize = 1 << 24;

/// The mean direct logit attribution of each component to the right class, less its mean over classes (a constant that the
/// softmax ignores), over the predictions of the first examples of `data`; components in the order of [`attribution`].
pub(super) fn mean_attribution(subject: Subject, data: &Dataset) -> Result<Vec<(String, f64)>> {
    let config = subject.model.config();
    let components = config.n_layers * (config.n_heads + 2) + 4;
    let each = components * data.positions().len() * config.d_vocab_out;
    let first: Vec<usize> = (0..data.len().min(MOST_EXAMPLES).min(MOST_NUMBERS / each).max(1)).collect();
    let data = data.select(&first);
    let found = attribution(subject, data.tokens(), data.positions())?;
    let predictions = (data.len() * data.positions().len()) as f64;
    let mean = |contributions: ArrayView3<f64>| {
        let mut sum = 0.0;
        for (example, targets) in contributions.outer_iter().zip(data.targets().outer_iter()) {
            for (logits, target) in example.outer_iter().zip(targets) {
                sum += logits[*target as usize] - logits.sum() / logits.len() as f64;
            }
        }
        sum / predictions
    };
    let means: Vec<f64> = found.contributions.outer_iter().map(mean).collect();
    Ok(found.components.into_iter().zip(means).collect())
}
