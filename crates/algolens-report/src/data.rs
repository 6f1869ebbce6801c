//! The page's data: the JSON that the script draws figures from.

use crate::{Report, ReportError, proof::ProofData};
use algolens::{
    interpret::{Answer, Head, Labels, Plot, Section, Shown, ShownExample, Study},
    model::AttentionDir,
    task::{Token, labels_of},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ndarray::{ArrayD, Axis, Slice};
use serde::Serialize;
use std::{borrow::Cow, collections::BTreeMap};

/// The page's data, as JSON.
///
/// # Errors
/// Results that JSON cannot hold, or a study that is not whole.
pub fn data(report: &Report) -> Result<String, ReportError> {
    light_data(report, &|_| true)
}

/// The data of the figures whose plots this keeps.
///
/// # Errors
/// As [`data`].
pub(crate) fn light_data(report: &Report, keeps: &dyn Fn(&Plot) -> bool) -> Result<String, ReportError> {
    report.check()?;
    let sections = report.sections();
    Ok(serde_json::to_string(&PageData::new(report, &sections, keeps))?)
}

/// The page's data: labels, examples, figures and arrays.
#[derive(Serialize)]
struct PageData<'a> {
    title: &'a str,
    labels: &'a Labels,
    /// The tokens and classes along the axes of the vocabulary.
    shown: &'a Shown,
    /// All heads: the head axis of `pattern`.
    heads: Vec<Head>,
    /// The heads of the first block: the head axis of circuits and score terms.
    first_heads: Vec<Head>,
    /// The predicted positions.
    positions: &'a [usize],
    /// Whether every right answer is the token that follows.
    answers_follow: bool,
    /// Whether no query sees later keys.
    causal: bool,
    lists: Vec<Example<'a>>,
    /// What each figure draws, by its name.
    figures: BTreeMap<&'a str, &'a Plot>,
    proof: Option<ProofData<'a>>,
    arrays: BTreeMap<&'a str, Numbers>,
}

/// One example of the page's menu, with its predictions.
#[derive(Serialize)]
struct Example<'a> {
    name: String,
    group: &'a str,
    tokens: &'a [Token],
    expected: &'a [Answer],
    predicted: &'a [Answer],
    prob_expected: &'a [f64],
    /// None of those that are not scored.
    right_at: &'a [Option<bool>],
}

/// An array as the script reads it: its shape, and its numbers as little-endian f32 in base64.
#[derive(Serialize)]
pub(crate) struct Numbers {
    shape: Vec<usize>,
    data: String,
}

impl<'a> PageData<'a> {
    fn new(report: &Report<'a>, sections: &'a [Cow<'a, Section>], keeps: &dyn Fn(&Plot) -> bool) -> Self {
        let Report { study, proof, .. } = *report;
        let plots: Vec<(&str, &Plot)> = sections
            .iter()
            .flat_map(|section| section.figures())
            .filter(|figure| keeps(&figure.plot))
            .map(|figure| (figure.id.as_str(), &figure.plot))
            .collect();
        let (shown, arrays) = fitting(report, &plots);
        Self {
            title: &study.title,
            labels: &study.labels,
            shown: &study.shown,
            heads: Head::all(&study.config),
            first_heads: Head::of_layer(&study.config, 0),
            positions: &study.positions,
            answers_follow: answers_follow(study),
            causal: study.config.attention_dir == AttentionDir::Causal,
            lists: study.examples.iter().take(shown).map(|example| Example::new(example, study)).collect(),
            figures: plots.into_iter().collect(),
            proof: proof.and_then(ProofData::new),
            arrays,
        }
    }
}

/// Whether classes are tokens, and each right answer that is shown is the token after its position.
fn answers_follow(study: &Study) -> bool {
    let follows = |ShownExample { prediction, .. }: &ShownExample| {
        let mut answers = prediction.expected.iter().zip(&study.positions);
        answers.all(|(expected, position)| prediction.tokens.get(position + 1).is_some_and(|token| *expected == *token))
    };
    study.labels.classes_are_tokens() && study.examples.iter().all(follows)
}

impl<'a> Example<'a> {
    fn new(example: &'a ShownExample, study: &'a Study) -> Self {
        let prediction = &example.prediction;
        let group = study.groups.iter().find(|group| group.id == example.group);
        Self {
            name: labels_of(&study.labels.tokens, &example.input).join(" "),
            group: group.map_or(example.group.as_str(), |group| &group.title),
            tokens: &prediction.tokens,
            expected: &prediction.expected,
            predicted: &prediction.predicted,
            prob_expected: &prediction.prob_expected,
            right_at: &prediction.correct_at,
        }
    }
}

impl Numbers {
    pub(crate) fn new(array: &ArrayD<f32>) -> Self {
        let bytes: Vec<u8> = array.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self { shape: array.shape().to_vec(), data: STANDARD.encode(bytes) }
    }
}

/// Most numbers of all arrays on a page: with the script it stays below 4 MB.
const MOST_NUMBERS: usize = 400_000;

/// How many examples a page has room for, and the arrays that its figures are drawn from: example axes are cut to these, and
/// of the others, in the order of the figures, those that fit.
fn fitting<'a>(report: &Report<'a>, plots: &[(&'a str, &'a Plot)]) -> (usize, BTreeMap<&'a str, Numbers>) {
    let named = |of_examples: bool| {
        let plots = plots.iter().filter(move |(_, plot)| plot.is_of_examples() == of_examples);
        plots.flat_map(|(_, plot)| plot.arrays()).filter_map(|name| report.arrays.get_key_value(name))
    };
    let of_examples: BTreeMap<&str, &ArrayD<f32>> = named(true).map(|(name, array)| (name.as_str(), array)).collect();
    let numbers_each: usize = of_examples.values().map(|array| array.len() / array.len_of(Axis(0)).max(1)).sum();
    let shown = (MOST_NUMBERS / 2 / numbers_each.max(1)).clamp(1, report.study.examples.len().max(1));
    let mut room = MOST_NUMBERS.saturating_sub(numbers_each * shown);
    let cut =
        |array: &ArrayD<f32>| array.slice_axis(Axis(0), Slice::from(..shown.min(array.len_of(Axis(0))))).to_owned();
    let mut fitting: BTreeMap<&str, Numbers> =
        of_examples.into_iter().map(|(name, array)| (name, Numbers::new(&cut(array)))).collect();
    for (name, array) in named(false) {
        if !fitting.contains_key(name.as_str()) && array.len() <= room {
            room -= array.len();
            fitting.insert(name, Numbers::new(array));
        }
    }
    (shown, fitting)
}
