//! Loss, probabilities and accuracy of a model on a dataset.

use crate::{
    Error, Result,
    engine::{Batch, Engine, Outcome, check_batch},
    model::Model,
    task::Dataset,
};
use serde::{Deserialize, Serialize};

/// Loss, probabilities and accuracy over a dataset, as the post reports them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of examples.
    pub size: usize,
    /// Mean cross-entropy, in nats.
    pub loss: f64,
    /// Mean probability on the target class.
    pub mean_prob: f64,
    /// Median probability on the target class; the lower one of an even number, as PyTorch takes it.
    pub median_prob: f64,
    /// Smallest probability on the target class.
    pub min_prob: f64,
    /// Share of predictions whose most probable class is the target.
    pub token_accuracy: f64,
    /// Share of examples all of whose predictions are correct.
    pub list_accuracy: f64,
}

/// The evaluation of a model on a dataset.
///
/// # Errors
/// An empty dataset, or one that does not fit the model.
pub fn evaluate(engine: &dyn Engine, model: &Model, data: &Dataset) -> Result<Evaluation> {
    /// Lists whose outcomes are in memory at once.
    const PIECE: usize = 1 << 16;
    let batch = Batch::from(data);
    check_batch(model, batch)?;
    let mut tally = Tally::default();
    for from in (0..data.len()).step_by(PIECE) {
        let piece = batch.slice(from, (from + PIECE).min(data.len()));
        tally.add(&engine.outcomes(model, piece)?, data.positions().len());
    }
    tally.evaluation()
}

/// Running totals of outcomes, from which an evaluation is made.
#[derive(Default)]
pub struct Tally {
    /// Log-probabilities on the targets, prediction by prediction.
    log_probs: Vec<f64>,
    correct: usize,
    correct_lists: usize,
    lists: usize,
}

impl Tally {
    /// Adds the outcomes of whole lists, `per_list` a list.
    pub fn add(&mut self, outcomes: &[Outcome], per_list: usize) {
        self.log_probs.extend(outcomes.iter().map(|outcome| outcome.log_prob));
        self.correct += outcomes.iter().filter(|outcome| outcome.right).count();
        for list in outcomes.chunks(per_list.max(1)) {
            self.correct_lists += usize::from(list.iter().all(|outcome| outcome.right));
            self.lists += 1;
        }
    }

    /// The evaluation of all outcomes so far.
    ///
    /// # Errors
    /// No outcome at all.
    pub fn evaluation(&self) -> Result<Evaluation> {
        if self.log_probs.is_empty() {
            return Err(Error::invalid("dataset", "at least one example", 0));
        }
        let mut probs: Vec<f64> = self.log_probs.iter().map(|log_prob| log_prob.exp()).collect();
        probs.sort_unstable_by(f64::total_cmp);
        let predictions = probs.len() as f64;
        Ok(Evaluation {
            size: self.lists,
            loss: -self.log_probs.iter().sum::<f64>() / predictions,
            mean_prob: probs.iter().sum::<f64>() / predictions,
            median_prob: probs[(probs.len() - 1) / 2],
            min_prob: probs[0],
            token_accuracy: self.correct as f64 / predictions,
            list_accuracy: self.correct_lists as f64 / self.lists as f64,
        })
    }
}
