//! Direct logit attribution in lists with three close values, x < y < z: why a model that attends to z as much as to y still
//! predicts y after x (the post's last question).

use super::families::list_with;
use crate::{CopyHeads, Head, Subject, share::share, source_attribution};
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
    let find = |value: Token| {
        let missing = || Error::invalid("triple", "values of the list", value);
        list.iter().position(|v| *v == value).ok_or_else(missing)
    };
    let rank = list.iter().filter(|value| **value < x).count();
    find(x)?;
    let sources = [find(y)?, find(z)?];
    let position = task.list_len() + 1 + rank;
    let contributions = source_attribution(subject, head.layer, data.tokens(), &[position])?;
    let dla = [y, z].map(|class| sources.map(|source| contributions[[0, head.head, 0, source, class as usize]]));
    Ok(TripleAttribution { list: list.to_vec(), head: head.head, x, y, z, dla })
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
    let mut dla = Array3::zeros((triples.len(), 2, 2));
    for ([x, y, z], mut mean) in triples.iter().zip(dla.outer_iter_mut()) {
        let mut rng = random::stream(seed.into(), &format!("lists with {x}, {y}, {z}"));
        let head = copy_heads.copying_head(*y)?;
        for _ in 0..lists {
            let list = list_with(&[*x, *y, *z], (0..=max).filter(|v| v < x || v > z), task, &mut rng);
            let triple = Triple { list: &list, head, x: *x, y: *y, z: *z };
            let found = triple_attribution(subject, task, triple)?.dla;
            mean.indexed_iter_mut().for_each(|((p, s), mean)| *mean += found[p][s] / lists as f64);
        }
    }
    let tokens = Array2::from_shape_fn((triples.len(), 3), |(triple, value)| triples[triple][value]);
    Ok(CloseTriples { tokens, dla })
}

impl CloseTriples {
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
