//! The record of a training run, epoch by epoch.

use super::{Keep, Recipe};
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
    /// The learning rate of the epoch's last step.
    pub learning_rate: f64,
    /// Mean cross-entropy in nats, each batch before its step.
    pub train_loss: f64,
    /// Share of right predictions, each batch before its step.
    pub train_accuracy: f64,
    /// Mean cross-entropy in nats on the validation data, after the epoch.
    pub validation_loss: f64,
    /// Share of right predictions on the validation data, after the epoch.
    pub validation_accuracy: f64,
    /// Whether these weights were kept: as [`Recipe::keep`] says, no earlier epoch was as good.
    pub best: bool,
}

impl EpochRecord {
    /// A history as a log: a line of JSON an epoch.
    ///
    /// # Errors
    /// Never for numbers that training gives.
    pub fn log(history: &[Self]) -> Result<String> {
        let mut lines = String::new();
        for record in history {
            lines += &serde_json::to_string(record).map_err(|error| Error::invalid("log", "JSON", error))?;
            lines.push('\n');
        }
        Ok(lines)
    }

    /// The epochs that a [`log`](Self::log) tells of.
    ///
    /// # Errors
    /// Names the first line that is no epoch.
    pub fn of_log(text: &str) -> Result<Vec<Self>> {
        let record = |(at, line): (usize, &str)| {
            let refused = |error| Error::invalid(format!("line {}", at + 1), "an epoch as JSON", error);
            serde_json::from_str(line).map_err(refused)
        };
        text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(record).collect()
    }

    /// The record of the epoch that follows `history`.
    pub(super) fn new(recipe: &Recipe, history: &[Self], train: Score, validation: Score) -> Self {
        let epoch = history.len() + 1;
        let mut record = Self {
            epoch,
            steps: steps(recipe, epoch),
            learning_rate: last_rate(recipe, epoch),
            train_loss: train.loss(),
            train_accuracy: train.accuracy(),
            validation_loss: validation.loss(),
            validation_accuracy: validation.accuracy(),
            best: false,
        };
        record.best = record.is_better(recipe.keep, history.iter().rfind(|record| record.best));
        record
    }

    /// Whether its weights are kept rather than those of the best epoch before.
    fn is_better(&self, keep: Keep, best: Option<&Self>) -> bool {
        best.is_none_or(|best| match keep {
            Keep::Accuracy => self.validation_accuracy > best.validation_accuracy,
            Keep::Loss => self.validation_loss < best.validation_loss,
            Keep::Last => true,
        })
    }

    /// Whether training stops here, as its aims are reached.
    pub(super) fn reaches(&self, recipe: &Recipe) -> bool {
        let (accuracy, loss) = (recipe.stop_accuracy, recipe.stop_loss);
        (accuracy.is_some() || loss.is_some())
            && accuracy.is_none_or(|accuracy| self.validation_accuracy >= accuracy)
            && loss.is_none_or(|loss| self.validation_loss <= loss)
    }
}

/// The learning rate of the last step of an epoch, counted from 1.
fn last_rate(recipe: &Recipe, epoch: usize) -> f64 {
    recipe.learning_rate(steps(recipe, epoch) - 1)
}

/// Optimizer steps in this many epochs.
pub(super) fn steps(recipe: &Recipe, epochs: usize) -> u64 {
    epochs as u64 * recipe.steps_per_epoch() as u64
}

/// Whether a run of this recipe can have this history.
///
/// # Errors
/// Names the first epoch that does not fit.
pub(super) fn check(recipe: &Recipe, history: &[EpochRecord]) -> Result<()> {
    if history.len() > recipe.epochs {
        return Err(Error::invalid("history", format!("at most {} epochs", recipe.epochs), history.len()));
    }
    let mut best = None;
    for (at, record) in history.iter().enumerate() {
        let fits = record.epoch == at + 1
            && record.steps == steps(recipe, at + 1)
            && record.learning_rate == last_rate(recipe, at + 1)
            && [record.train_loss, record.validation_loss].iter().all(|loss| loss.is_finite())
            && [record.train_accuracy, record.validation_accuracy].iter().all(|share| (0.0..=1.0).contains(share))
            && record.best == record.is_better(recipe.keep, best)
            && (at + 1 == history.len() || !record.reaches(recipe));
        if !fits {
            let expected = format!("epoch {} as the recipe has it", at + 1);
            return Err(Error::invalid("history", expected, format!("{record:?}")));
        }
        best = if record.best { Some(record) } else { best };
    }
    Ok(())
}
