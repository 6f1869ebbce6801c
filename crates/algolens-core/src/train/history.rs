//! The record of a training run, epoch by epoch.

use super::Recipe;
use crate::{Error, Result, engine::Score};
use serde::{Deserialize, Serialize};

/// What one epoch came to: a line of the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochRecord {
    /// Counted from 1.
    pub epoch: usize,
    /// Optimizer steps of the run up to its end.
    pub steps: u64,
    /// The epoch's learning rate.
    pub learning_rate: f64,
    /// Mean cross-entropy in nats, each batch before its step.
    pub train_loss: f64,
    /// Share of right predictions, each batch before its step.
    pub train_accuracy: f64,
    /// Mean cross-entropy in nats on the validation data, after the epoch.
    pub validation_loss: f64,
    /// Share of right predictions on the validation data, after the epoch.
    pub validation_accuracy: f64,
    /// Whether no earlier epoch was as accurate on the validation data: these weights were kept.
    pub best: bool,
}

impl EpochRecord {
    /// The record of the epoch that follows `history`.
    pub(super) fn new(recipe: &Recipe, history: &[Self], train: Score, validation: Score) -> Self {
        let epoch = history.len();
        let validation_accuracy = validation.accuracy();
        Self {
            epoch: epoch + 1,
            steps: steps(recipe, epoch + 1),
            learning_rate: recipe.learning_rate(epoch),
            train_loss: train.loss(),
            train_accuracy: train.accuracy(),
            validation_loss: validation.loss(),
            validation_accuracy,
            best: beats(history, validation_accuracy),
        }
    }
}

/// Optimizer steps in this many epochs.
pub(super) fn steps(recipe: &Recipe, epochs: usize) -> u64 {
    epochs as u64 * recipe.steps_per_epoch() as u64
}

fn beats(history: &[EpochRecord], accuracy: f64) -> bool {
    history.iter().all(|earlier| accuracy > earlier.validation_accuracy)
}

/// Whether a run of this recipe can have this history.
///
/// # Errors
/// Names the first epoch that does not fit.
pub(super) fn check(recipe: &Recipe, history: &[EpochRecord]) -> Result<()> {
    if history.len() > recipe.epochs {
        return Err(Error::invalid("history", format!("at most {} epochs", recipe.epochs), history.len()));
    }
    let mut best = f64::NEG_INFINITY;
    for (at, record) in history.iter().enumerate() {
        let fits = record.epoch == at + 1
            && record.steps == steps(recipe, at + 1)
            && record.learning_rate == recipe.learning_rate(at)
            && [record.train_loss, record.validation_loss].iter().all(|loss| loss.is_finite())
            && [record.train_accuracy, record.validation_accuracy].iter().all(|share| (0.0..=1.0).contains(share))
            && record.best == (record.validation_accuracy > best);
        if !fits {
            let expected = format!("epoch {} as the recipe has it", at + 1);
            return Err(Error::invalid("history", expected, format!("{record:?}")));
        }
        best = best.max(record.validation_accuracy);
    }
    Ok(())
}
