//! The post's last question: why does a model that attends to d+2 as much as to d+1 still predict d+1?

use super::{Head, Subject, source_attribution};
use crate::{
    Error, Result,
    model::checkpoint::check_task,
    task::{Dataset, SortedList, Task, Token},
};
use ndarray::Axis;
use serde::{Deserialize, Serialize};

/// Three values x < y < z of a list, close together: x should be followed by y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Triple<'a> {
    /// The unsorted list.
    pub list: &'a [Token],
    /// The head that is looked at.
    pub head: Head,
    /// The token whose successor is predicted.
    pub x: Token,
    /// The right answer.
    pub y: Token,
    /// The token after it.
    pub z: Token,
}

/// What the sources y and z add to the logits of y and z where x stands in the sorted half.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TripleAttribution {
    /// The unsorted list.
    pub list: Vec<Token>,
    /// The index of the head in its block.
    pub head: usize,
    /// The token whose successor is predicted.
    pub x: Token,
    /// The right answer.
    pub y: Token,
    /// The token after it.
    pub z: Token,
    /// `[prediction y or z][source y or z]`, in logits.
    pub dla: [[f64; 2]; 2],
}

/// The post's four lists, each with its `[x, y, z]`.
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
    check_task(&task.spec(), subject.model.config())?;
    let data = Dataset::from_inputs(task, &[list])?;
    let find = |value: Token| {
        let missing = || Error::invalid("triple", "values of the list", value);
        list.iter().position(|v| *v == value).ok_or_else(missing)
    };
    let rank = list.iter().filter(|value| **value < x).count();
    find(x)?;
    let sources = [find(y)?, find(z)?];
    let position = task.list_len() + 1 + rank;
    let all = source_attribution(subject, head.layer, data.tokens(), &[position])?;
    let of_head = all.index_axis(Axis(0), 0).index_axis_move(Axis(0), head.head).index_axis_move(Axis(0), 0).to_owned();
    let dla = [y, z].map(|prediction| sources.map(|source| of_head[[source, prediction as usize]]));
    Ok(TripleAttribution { list: list.to_vec(), head: head.head, x, y, z, dla })
}
