//! Accuracy by families that every task has: by predicted position, and by right answer.

use crate::Subject;
use algolens_core::{
    Result,
    engine::{Batch, Outcome, Score},
    task::{Dataset, Token},
};
use std::collections::BTreeMap;

/// Shares of right predictions over data, by weight.
pub(super) struct Accuracies {
    /// At each predicted position.
    pub by_position: Vec<(usize, f64)>,
    /// Of each class that is a right answer somewhere.
    pub by_class: Vec<(Token, f64)>,
}

impl Accuracies {
    pub fn of(subject: Subject, data: &Dataset) -> Result<Self> {
        let outcomes = subject.engine.outcomes(subject.model, Batch::from(data))?;
        let mut by_position: BTreeMap<usize, Score> = BTreeMap::new();
        let mut by_class: BTreeMap<Token, Score> = BTreeMap::new();
        let positions = data.positions().iter().cycle();
        for ((outcome, (target, _)), position) in outcomes.iter().zip(data.targets().iter()).zip(positions) {
            count(by_position.entry(*position).or_default(), outcome);
            target.classes().into_iter().for_each(|class| count(by_class.entry(class).or_default(), outcome));
        }
        Ok(Self { by_position: shares(by_position), by_class: shares(by_class) })
    }
}

fn count(score: &mut Score, outcome: &Outcome) {
    score.add((*outcome).into());
}

/// The shares of those that are scored at all.
fn shares<K>(scores: BTreeMap<K, Score>) -> Vec<(K, f64)> {
    let scored = scores.into_iter().filter(|(_, score)| score.weight > 0.0);
    scored.map(|(key, score)| (key, score.accuracy())).collect()
}
