//! Accuracy by families that every task has: by predicted position, and by right answer.

use crate::Subject;
use algolens_core::{
    Result,
    engine::Batch,
    task::{Dataset, Token},
};
use std::collections::BTreeMap;

/// Shares of right predictions over data.
pub(super) struct Accuracies {
    /// At each predicted position.
    pub by_position: Vec<(usize, f64)>,
    /// Of each class that is the right answer somewhere.
    pub by_class: Vec<(Token, f64)>,
}

impl Accuracies {
    pub fn of(subject: Subject, data: &Dataset) -> Result<Self> {
        let outcomes = subject.engine.outcomes(subject.model, Batch::from(data))?;
        let mut by_position = BTreeMap::new();
        let mut by_class = BTreeMap::new();
        let positions = data.positions().iter().cycle();
        for ((outcome, target), position) in outcomes.iter().zip(data.targets()).zip(positions) {
            count(by_position.entry(*position).or_default(), outcome.right);
            count(by_class.entry(*target).or_default(), outcome.right);
        }
        Ok(Self { by_position: shares(by_position), by_class: shares(by_class) })
    }
}

fn count([right, all]: &mut [usize; 2], is_right: bool) {
    *right += usize::from(is_right);
    *all += 1;
}

fn shares<K>(counts: BTreeMap<K, [usize; 2]>) -> Vec<(K, f64)> {
    counts.into_iter().map(|(key, [right, all])| (key, right as f64 / all as f64)).collect()
}
