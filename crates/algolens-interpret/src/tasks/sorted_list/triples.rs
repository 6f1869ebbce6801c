//! Direct logit attribution in lists with three close values, x < y < z: why a model that attends to z as much as to y still
//! predicts y after x (the post's last question).

use super::families::list_with;
use crate::{
    CopyHeads, Head, Subject,
    attribution::{SourceLogits, SourceQuery, source_logits},
    share::share,
};
use algolens_core::{
    Error, Result, random,
    task::{Dataset, SortedList, Token, check_task},
};
use ndarray::{Array2, Array3, Axis};
use serde::{Deserialize, Serialize};

/// Three close values x < y < z of a list, of which y follows x: what [`triple_attribution`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triple<'a> {
    /// The unsorted list.
    pub list: &'a [Token],
    /// The head that is attributed to.
    pub head: Head,
    /// The value that predicts, in the sorted half.
    pub x: Token,
    /// The target, which is the next value.
    pub y: Token,
    /// The value after y.
    pub z: Token,
}

/// Direct logit attribution, at x in the sorted half, from the sources y and z through one head to the predictions y and z.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripleAttribution {
    /// The unsorted list.
    pub list: Vec<Token>,
    /// The index of the head in its block.
    pub head: usize,
    /// The value that predicts, in the sorted half.
    pub x: Token,
    /// The target, which is the next value.
    pub y: Token,
    /// The value after y.
    pub z: Token,
    /// `[prediction y or z][source y or z]`, in logits.
    pub dla: [[f64; 2]; 2],
}

/// The post's four lists with close values, each with its `[x, y, z]`.
pub const POST_TRIPLES: [([Token; 10], [Token; 3]); 4] = [
    ([0, 5, 14, 15, 17, 25, 30, 35, 40, 45], [14, 15, 17]),
    ([0, 5, 10, 15, 20, 25, 26, 27, 40, 45], [25, 26, 27]),
    ([0, 5, 10, 15, 20, 25, 30, 31, 32, 45], [30, 31, 32]),
    ([0, 5, 10, 15, 20, 25, 30, 31, 34, 45], [30, 31, 34]),
];

/// The direct logit attribution of a triple.
///
/// # Errors
/// A list that is not of the task, values that are not in it, or a head that the model does not have.
pub fn triple_attribution(subject: Subject, task: &SortedList, triple: Triple) -> Result<TripleAttribution> {
    let Triple { list, head, x, y, z } = triple;
    head.check(subject.model.config())?;
    check_task(task, subject.model.config())?;
    let data = Dataset::from_inputs(task, &[list])?;
    let found = source_logits(subject, head.layer, data.tokens(), &[query(task, triple)?])?;
    Ok(TripleAttribution { list: list.to_vec(), head: head.head, x, y, z, dla: found[0].dla })
}

/// Where a triple's attributions are found: at x in the sorted half, with y and z of the unsorted half as sources.
fn query(task: &SortedList, Triple { list, head, x, y, z }: Triple) -> Result<SourceQuery> {
    let find = |value: Token| {
        let missing = || Error::invalid("triple", "values of the list", value);
        list.iter().position(|v| *v == value).ok_or_else(missing)
    };
    find(x)?;
    let rank = list.iter().filter(|value| **value < x).count();
    let position = task.first_query() + 1 + rank;
    Ok(SourceQuery { head: head.head, position, sources: [find(y)?, find(z)?], classes: [y, z] })
}

/// The largest z − x of a close triple: that of the post's widest.
pub const CLOSE: u32 = 4;

/// The direct logit attributions of every close triple x < y < z ≤ x + [`CLOSE`] of the vocabulary, each through the copying
/// head of y, as means over random lists in which y follows x and z follows y.
#[derive(Clone, Debug, PartialEq)]
pub struct CloseTriples {
    /// `[triple; x, y, z]`.
    pub tokens: Array2<Token>,
    /// `[triple, prediction y or z, source y or z]`, in logits.
    pub dla: Array3<f64>,
    /// `[triple, source y or z]`: the head's attention at x.
    pub attention: Array2<f64>,
    /// The lists one by one, `lists` of each triple in turn.
    pub lists: Vec<TripleList>,
}

/// What y and z gain at x in one list with a close triple.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TripleList {
    /// Index of the triple.
    pub triple: usize,
    /// `[prediction y or z][source y or z]`, through all heads of the first block, in logits.
    pub dla: [[f64; 2]; 2],
    /// What the direct path adds to y and z, in logits.
    pub direct: [f64; 2],
    /// The logits of y and z.
    pub logits: [f64; 2],
}

/// Means and signs of the direct logit attributions of all close triples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripleStatistics {
    /// Number of triples.
    pub count: usize,
    /// Mean attribution, `[prediction y or z][source y or z]`, in logits.
    pub mean: [[f64; 2]; 2],
    /// Share of triples whose attribution has the sign that the post expects: `[[+, +], [−, +]]`.
    pub expected_sign: [[f64; 2]; 2],
    /// Share of triples all four of whose attributions have it.
    pub all_signs: f64,
    /// Share of triples in which y gains more than z from both sources together.
    pub y_ahead: f64,
}

/// The signs that the post expects, `[prediction y or z][source y or z]`: each source boosts itself; z boosts y a
/// little, y suppresses z a little.
const SIGNS: [[f64; 2]; 2] = [[1.0, 1.0], [-1.0, 1.0]];

/// The attributions of all close triples of the vocabulary, each over so many random `lists`.
///
/// # Errors
/// A model that is not of the task, or copying heads that do not cover its values.
pub fn close_triples(
    subject: Subject,
    task: &SortedList,
    copy_heads: &CopyHeads,
    lists: usize,
    seed: u32,
) -> Result<CloseTriples> {
    let max = task.max_value();
    let triples: Vec<[Token; 3]> = (0..=max)
        .flat_map(|x| (x + 1..=max.min(x + CLOSE)).map(move |y| (x, y)))
        .flat_map(|(x, y)| (y + 1..=max.min(x + CLOSE)).map(move |z| [x, y, z]))
        .filter(|[x, _, z]| task.list_len() >= 3 && (max - (z - x)) as usize + 3 >= task.list_len())
        .collect();
    let mut drawn: Vec<Vec<Token>> = Vec::new();
    let mut queries: Vec<SourceQuery> = Vec::new();
    for [x, y, z] in &triples {
        let mut rng = random::stream(seed.into(), &format!("lists with {x}, {y}, {z}"));
        let head = copy_heads.copying_head(*y)?;
        for _ in 0..lists {
            let list = list_with(&[*x, *y, *z], (0..=max).filter(|v| v < x || v > z), task, &mut rng);
            queries.push(query(task, Triple { list: &list, head, x: *x, y: *y, z: *z })?);
            drawn.push(list);
        }
    }
    let found = source_logits(subject, 0, Dataset::from_inputs(task, &drawn)?.tokens(), &queries)?;
    let tokens = Array2::from_shape_fn((triples.len(), 3), |(triple, value)| triples[triple][value]);
    let mut all = CloseTriples {
        tokens,
        dla: Array3::zeros((triples.len(), 2, 2)),
        attention: Array2::zeros((triples.len(), 2)),
        lists: Vec::with_capacity(found.len()),
    };
    for (at, SourceLogits { dla, all_heads, direct, logits, attention }) in found.into_iter().enumerate() {
        let triple = at / lists;
        for source in [0, 1] {
            for (prediction, dla) in dla.iter().enumerate() {
                all.dla[[triple, prediction, source]] += dla[source] / lists as f64;
            }
            all.attention[[triple, source]] += attention[source] / lists as f64;
        }
        all.lists.push(TripleList { triple, dla: all_heads, direct, logits });
    }
    Ok(all)
}

impl CloseTriples {
    /// The triples with at least as much attention on z as on y, and their lists: those in which attention does not say why y is
    /// predicted.
    pub fn undecided(&self) -> Self {
        let rows: Vec<usize> =
            (0..self.attention.nrows()).filter(|row| self.attention[[*row, 1]] >= self.attention[[*row, 0]]).collect();
        let of_row = |list: &TripleList| {
            let triple = rows.binary_search(&list.triple).ok()?;
            Some(TripleList { triple, ..*list })
        };
        Self {
            tokens: self.tokens.select(Axis(0), &rows),
            dla: self.dla.select(Axis(0), &rows),
            attention: self.attention.select(Axis(0), &rows),
            lists: self.lists.iter().filter_map(of_row).collect(),
        }
    }

    /// The statistics over all triples; none where there is no close triple.
    pub fn statistics(&self) -> Option<TripleStatistics> {
        let mean = self.dla.mean_axis(Axis(0))?;
        let all: Vec<[[f64; 2]; 2]> =
            self.dla.outer_iter().map(|dla| [[dla[[0, 0]], dla[[0, 1]]], [dla[[1, 0]], dla[[1, 1]]]]).collect();
        let fits = |dla: &[[f64; 2]; 2], p: usize, s: usize| dla[p][s] * SIGNS[p][s] > 0.0;
        let each = |number: &dyn Fn(usize, usize) -> f64| [0, 1].map(|p| [0, 1].map(|s| number(p, s)));
        Some(TripleStatistics {
            count: all.len(),
            mean: each(&|p, s| mean[[p, s]]),
            expected_sign: each(&|p, s| share(&all, |dla| fits(dla, p, s))),
            all_signs: share(&all, |dla| (0..4).all(|at| fits(dla, at / 2, at % 2))),
            y_ahead: share(&all, |dla| dla[0][0] + dla[0][1] > dla[1][0] + dla[1][1]),
        })
    }
}
