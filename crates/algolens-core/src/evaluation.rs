//! Loss, probabilities and accuracy of a model on a dataset.

use crate::{
    Error, Result,
    engine::{Batch, Engine, Outcome, Score, check_batch},
    model::Model,
    task::Dataset,
};
use serde::{Deserialize, Serialize};

/// Loss, probabilities and accuracy over a dataset, as the post reports them: over its scored predictions, by their weights.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Number of examples.
    pub size: usize,
    /// Mean loss, in nats: the cross-entropy, of targets that are classes (see [`Right`](crate::task::Right)).
    pub loss: f64,
    /// Mean probability of what is right: e to the power of minus a prediction's loss.
    pub mean_prob: f64,
    /// Median probability of what is right; the lower one of an even number, as PyTorch takes it.
    pub median_prob: f64,
    /// Smallest probability of what is right.
    pub min_prob: f64,
    /// Share of predictions that are right.
    pub token_accuracy: f64,
    /// Share of examples all of whose scored predictions are right, of those that have one.
    pub list_accuracy: f64,
}

/// The evaluation of a model on a dataset.
///
/// # Errors
/// An empty dataset, one in which nothing is scored, or one that does not fit the model.
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
    score: Score,
    /// Log-probability of what is right and weight, scored prediction by scored prediction.
    predictions: Vec<(f64, f32)>,
    lists: usize,
    scored_lists: usize,
    correct_lists: usize,
}

impl Tally {
    /// Adds the outcomes of whole lists, `per_list` a list.
    pub fn add(&mut self, outcomes: &[Outcome], per_list: usize) {
        for list in outcomes.chunks(per_list.max(1)) {
            let scored = || list.iter().filter(|outcome| outcome.weight > 0.0);
            self.predictions.extend(scored().map(|outcome| (outcome.log_prob, outcome.weight)));
            scored().for_each(|outcome| self.score.add((*outcome).into()));
            let is_scored = scored().next().is_some();
            self.lists += 1;
            self.scored_lists += usize::from(is_scored);
            self.correct_lists += usize::from(is_scored && scored().all(|outcome| outcome.right));
        }
    }

    /// The evaluation of all outcomes so far.
    ///
    /// # Errors
    /// No scored outcome at all.
    pub fn evaluation(&self) -> Result<Evaluation> {
        if self.lists == 0 {
            return Err(Error::invalid("dataset", "at least one example", 0));
        }
        if self.predictions.is_empty() {
            return Err(Error::invalid("dataset", "at least one scored prediction", "none"));
        }
        let mut probs: Vec<(f64, f32)> =
            self.predictions.iter().map(|(log_prob, weight)| (log_prob.exp(), *weight)).collect();
        probs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let Score { weight: total, .. } = self.score;
        Ok(Evaluation {
            size: self.lists,
            loss: self.score.loss(),
            mean_prob: probs.iter().map(|(prob, weight)| prob * f64::from(*weight)).sum::<f64>() / total,
            median_prob: median(&probs, total),
            min_prob: probs[0].0,
            token_accuracy: self.score.accuracy(),
            list_accuracy: self.correct_lists as f64 / self.scored_lists as f64,
        })
    }
}

/// The smallest of sorted probabilities up to which half of the weight lies.
fn median(sorted: &[(f64, f32)], total: f64) -> f64 {
    let mut weights = sorted.iter().scan(0.0, |sum, (_, weight)| {
        *sum += f64::from(*weight);
        Some(*sum)
    });
    let at = weights.position(|sum| sum >= total / 2.0).unwrap_or(sorted.len() - 1);
    sorted[at].0
}
