//! Which tokens and classes a study shows where it draws the vocabulary.

use super::{data::Study, examples::ShownExample, figure::AxisLabels, labels::Labels};
use crate::shown::{Shown, first};
use algolens_core::{model::Config, task::Token};
use std::collections::BTreeSet;

/// Most tokens, or classes, along an axis of a figure.
pub(super) const MOST_SHOWN: usize = 512;

/// What a study shows: what is asked for; else every token and class where a figure has room for them, and otherwise those of
/// the shown examples. Where classes are tokens, they follow the tokens.
pub(super) fn choose(asked: &Shown, config: &Config, labels: &Labels, examples: &[ShownExample]) -> Shown {
    let same = labels.classes_are_tokens();
    let predictions = || examples.iter().map(|example| &example.prediction);
    let answers: BTreeSet<Token> = predictions()
        .flat_map(|prediction| prediction.expected.iter().chain(&prediction.predicted))
        .flat_map(|answer| answer.classes().iter().copied())
        .collect();
    let mut tokens: BTreeSet<Token> = predictions().flat_map(|prediction| prediction.tokens.iter().copied()).collect();
    if same {
        tokens.extend(&answers);
    }
    let usual = |count: usize, of_examples: BTreeSet<Token>| match count {
        ..=MOST_SHOWN => first(count),
        _ => of_examples.into_iter().take(MOST_SHOWN).collect(),
    };
    let usual = Shown { tokens: usual(config.d_vocab, tokens), classes: usual(config.d_vocab_out, answers) };
    asked.clone().or(usual, same)
}

impl Study {
    /// What is along an axis, one label a row or column.
    pub fn axis_labels(&self, labels: AxisLabels) -> Vec<String> {
        let named = |names: &[String], shown: &[Token]| {
            let name = |at: &Token| names.get(*at as usize).cloned().unwrap_or_else(|| at.to_string());
            shown.iter().map(name).collect()
        };
        match labels {
            AxisLabels::Tokens => named(&self.labels.tokens, &self.shown.tokens),
            AxisLabels::Classes => named(&self.labels.classes, &self.shown.classes),
            AxisLabels::Positions => self.labels.positions.clone(),
        }
    }

    /// Words, and after them how much of the vocabulary is shown where that is not all.
    pub(crate) fn with_not_shown(&self, words: String) -> String {
        let part = |what: &str, shown: usize, of: usize| (shown < of).then(|| format!("{shown} of {of} {what}"));
        let parts = [
            part("tokens", self.shown.tokens.len(), self.config.d_vocab),
            part("classes", self.shown.classes.len(), self.config.d_vocab_out),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        if parts.is_empty() { words } else { format!("{words} Shown are {}.", parts.join(" and ")) }
    }
}
