//! Direct logit attribution over data: what each component adds to the right answer.

use crate::{Subject, attribution};
use algolens_core::{Result, task::Dataset};

/// The mean direct logit attribution of each component to the right class, less its mean over classes (a constant that the
/// softmax ignores), over all predictions of `data`; components in the order of [`attribution`].
pub(super) fn mean_attribution(subject: Subject, data: &Dataset) -> Result<Vec<(String, f64)>> {
    const CHUNK: usize = 16;
    let mut sums: Vec<(String, f64)> = Vec::new();
    for chunk in data.chunks(CHUNK) {
        let found = attribution(subject, chunk.tokens(), chunk.positions())?;
        if sums.is_empty() {
            sums = found.components.iter().map(|name| (name.clone(), 0.0)).collect();
        }
        for ((_, sum), component) in sums.iter_mut().zip(found.contributions.outer_iter()) {
            for (example, targets) in component.outer_iter().zip(chunk.targets().outer_iter()) {
                for (logits, target) in example.outer_iter().zip(targets) {
                    *sum += logits[*target as usize] - logits.sum() / logits.len() as f64;
                }
            }
        }
    }
    let predictions = (data.len() * data.positions().len()) as f64;
    Ok(sums.into_iter().map(|(name, sum)| (name, sum / predictions)).collect())
}
