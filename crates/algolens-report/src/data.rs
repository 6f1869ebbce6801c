//! The page's data: the JSON that the script draws figures from.

use crate::{Report, ReportError, proof::ProofData};
use algolens::{
    interpret::{Costs, Group, Head, ShownList, StudyResults},
    model::Config,
    task::{SortedList, Task, TaskKind, Token},
    train::EpochRecord,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ndarray::{ArrayD, Axis, Slice};
use serde::Serialize;
use std::collections::BTreeMap;

/// The page's data, as JSON.
///
/// # Errors
/// Results that JSON cannot hold, a missing array, or one that is neither on the page nor named as left out.
pub fn data(report: &Report) -> Result<String, ReportError> {
    Ok(serde_json::to_string(&PageData::new(report)?)?)
}

/// The page's data: labels, lists, results and arrays.
#[derive(Serialize)]
struct PageData<'a> {
    title: &'a str,
    labels: Labels,
    /// All heads: the head axis of `pattern`.
    heads: Vec<Head>,
    /// The heads of the first block: the head axis of every other array.
    first_heads: Vec<Head>,
    /// The predicted positions.
    positions: Vec<usize>,
    lists: Vec<List<'a>>,
    results: Results,
    history: Option<&'a [EpochRecord]>,
    proof: Option<ProofData<'a>>,
    arrays: BTreeMap<&'a str, Numbers>,
}

/// A study's results as the script reads them.
#[derive(Serialize)]
struct Results {
    /// The study's results without the lists, which the page holds once.
    #[serde(flatten)]
    study: serde_json::Map<String, serde_json::Value>,
    ablation_rows: Vec<AblationRow>,
}

impl Results {
    fn new(results: &StudyResults) -> Result<Self, ReportError> {
        let mut study = match serde_json::to_value(results)? {
            serde_json::Value::Object(study) => study,
            _ => serde_json::Map::new(),
        };
        study.remove("lists");
        study.remove("adversarial");
        let rows = results.ablation.rows().into_iter();
        let ablation_rows =
            rows.map(|(part, Costs { mean, zero, resample })| AblationRow { part, mean, zero, resample }).collect();
        Ok(Self { study, ablation_rows })
    }
}

/// The cost of ablating a part, in nats.
#[derive(Serialize)]
struct AblationRow {
    part: String,
    mean: f64,
    zero: f64,
    resample: f64,
}

/// One list of the page's menu, with its predictions.
#[derive(Serialize)]
struct List<'a> {
    name: String,
    group: &'static str,
    tokens: &'a [Token],
    expected: &'a [Token],
    predicted: &'a [Token],
}

/// An array as the script reads it: its shape, and its numbers as little-endian f32 in base64.
#[derive(Serialize)]
struct Numbers {
    shape: Vec<usize>,
    data: String,
}

/// The labels of tokens, output classes and positions.
#[derive(Serialize)]
pub(crate) struct Labels {
    pub tokens: Vec<String>,
    pub classes: Vec<String>,
    pub positions: Vec<String>,
}

impl Labels {
    pub fn new(results: &StudyResults) -> Self {
        let config = &results.config;
        let numbers = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
        let (tokens, classes) = match SortedList::of(&results.task) {
            Ok(task) => (task.token_labels(), task.output_labels()),
            Err(_) => (numbers(config.d_vocab), numbers(config.d_vocab_out)),
        };
        let mut positions = numbers(config.n_ctx);
        if let Ok(task) = SortedList::of(&results.task)
            && let Some(separator) = positions.get_mut(task.list_len())
        {
            *separator = "SEP".into();
        }
        Self { tokens, classes, positions }
    }
}

impl<'a> PageData<'a> {
    fn new(report: &Report<'a>) -> Result<Self, ReportError> {
        let Report { title, results, training, proof, .. } = *report;
        let labels = Labels::new(results);
        let arrays = fitting(report)?;
        let shown = arrays.get("probs").map_or(0, |probs| probs.len_of(Axis(0)));
        Ok(Self {
            title,
            heads: Head::all(&results.config),
            first_heads: Head::of_layer(&results.config, 0),
            positions: SortedList::of(&results.task).map_or(Vec::new(), |task| task.predicted_positions()),
            lists: results.lists.iter().take(shown).map(|list| List::new(list, &labels, &results.config)).collect(),
            results: Results::new(results)?,
            history: training.map(|training| &training.history[..]),
            proof: proof.and_then(ProofData::new),
            arrays: arrays.into_iter().map(|(name, array)| (name, Numbers::new(&array))).collect(),
            labels,
        })
    }
}

impl<'a> List<'a> {
    fn new(list: &'a ShownList, labels: &Labels, config: &Config) -> Self {
        let prediction = &list.prediction;
        let unsorted = &prediction.tokens[..config.n_ctx / 2];
        Self {
            name: algolens::task::labels_of(&labels.tokens, unsorted).join(" "),
            group: group_name(list.group),
            tokens: &prediction.tokens,
            expected: &prediction.expected,
            predicted: &prediction.predicted,
        }
    }
}

/// The heading of a group of lists in the menu.
pub(crate) fn group_name(group: Group) -> &'static str {
    match group {
        Group::Yours => "Your lists",
        Group::Random => "Random lists",
        Group::PostAdversarial => "The post's adversarial lists",
        Group::PostTriples => "The post's triples",
        Group::Worst => "The worst of many random lists",
    }
}

impl Numbers {
    fn new(array: &ArrayD<f32>) -> Self {
        let bytes: Vec<u8> = array.iter().flat_map(|number| number.to_le_bytes()).collect();
        Self { shape: array.shape().to_vec(), data: STANDARD.encode(bytes) }
    }
}

/// Arrays with a list axis.
const LIST_ARRAYS: [&str; 3] = ["probs", "pattern", "score_terms"];
/// Arrays without a list axis, the most telling first.
const MODEL_ARRAYS: [&str; 8] = [
    "W_OV_full",
    "QK_effective",
    "W_QK_full",
    "direct_path",
    "W_QK_pos_query",
    "W_QK_pos_key",
    "triple_tokens",
    "triple_dla",
];
/// Arrays that are not on the page: parts of [`LIST_ARRAYS`] under names of their own, for files of a study.
const LEFT_OUT: [&str; 3] = ["pattern_first_10", "probs_first_list", "probs_custom"];
/// Most numbers of all arrays on a page: with the script it stays below 4 MB.
const MOST_NUMBERS: usize = 400_000;

/// The arrays that figures are drawn from, as many as a page has room for: list axes are cut to the first lists, and circuits
/// of very large vocabularies are left out.
///
/// # Errors
/// A missing array, or one that no list above names.
fn fitting(report: &Report) -> Result<BTreeMap<&'static str, ArrayD<f32>>, ReportError> {
    let named = [&LIST_ARRAYS[..], &MODEL_ARRAYS, &LEFT_OUT].concat();
    if let Some(name) = report.arrays.keys().find(|name| !named.contains(&name.as_str())) {
        return Err(ReportError::UnknownArray(name.clone()));
    }
    let mut fitting = BTreeMap::new();
    let list_arrays = LIST_ARRAYS.map(|name| report.array(name).map(|array| (name, array)));
    let list_arrays = list_arrays.into_iter().collect::<Result<Vec<_>, _>>()?;
    let numbers_per_list: usize = list_arrays.iter().map(|(_, array)| array.len() / array.len_of(Axis(0)).max(1)).sum();
    let lists = (MOST_NUMBERS / 2 / numbers_per_list.max(1)).max(1);
    let mut room = MOST_NUMBERS;
    for (name, array) in list_arrays {
        let kept = array.slice_axis(Axis(0), Slice::from(..lists.min(array.len_of(Axis(0))))).to_owned();
        room = room.saturating_sub(kept.len());
        fitting.insert(name, kept);
    }
    for name in MODEL_ARRAYS {
        let array = report.array(name)?;
        if array.len() <= room {
            room -= array.len();
            fitting.insert(name, array.clone());
        }
    }
    Ok(fitting)
}
