//! Who attends to whom in a sorting model, and which head serves which token.

use super::{
    Circuits, Head, Subject,
    steps::{Step, steps},
};
use algolens_core::{
    Error, Result,
    engine::loss::argmax,
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayView1, s};
use serde::{Deserialize, Serialize};

/// How often attention does what a sorting model's should, on a dataset, in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionStatistics {
    /// Lists.
    pub size: usize,
    /// Share of lists in which SEP attends most to the smallest value in some head.
    pub sep_to_smallest: f64,
    /// Share of the sorted values (but the largest) that attend most to the smallest value above them in some head.
    pub next_larger: f64,
    /// Share of the sorted values (but the largest) that attend most to themselves, in either half, in some head.
    pub to_itself: f64,
    /// The same head by head.
    pub heads: Vec<HeadShares>,
}

/// [`AttentionStatistics`] of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeadShares {
    /// The head.
    pub head: Head,
    /// Share of lists in which SEP attends most to the smallest value.
    pub sep_to_smallest: f64,
    /// Share of the sorted values (but the largest) that attend most to the smallest value above them.
    pub next_larger: f64,
    /// Share of the sorted values (but the largest) that attend most to themselves, in either half.
    pub to_itself: f64,
}

/// The attention statistics of block `layer` on lists of a sorting task.
///
/// # Errors
/// Data that does not fit the model, or a block that it does not have.
pub fn attention_statistics(
    subject: Subject,
    task: &SortedList,
    layer: usize,
    data: &Dataset,
) -> Result<AttentionStatistics> {
    Ok(statistics(&steps(subject, task, layer, data)?, task, Head::of_layer(subject.model.config(), layer)))
}

/// The statistics of steps with the attention of these heads.
pub(super) fn statistics(steps: &[Step], task: &SortedList, heads: Vec<Head>) -> AttentionStatistics {
    let (first, sorted): (Vec<&Step>, Vec<&Step>) = steps.iter().partition(|step| step.is_first(task));
    // In some head, or in this one.
    let favours =
        |step: &Step, head: Option<usize>, token| head.map_or(step.favours(token), |h| step.favourites[h] == token);
    let sep_to_smallest = |head| share(&first, |step| favours(step, head, step.next));
    let next_larger = |head| share(&sorted, |step| favours(step, head, step.next));
    let to_itself = |head| share(&sorted, |step| favours(step, head, step.d));
    let of_head = |(at, head)| HeadShares {
        head,
        sep_to_smallest: sep_to_smallest(Some(at)),
        next_larger: next_larger(Some(at)),
        to_itself: to_itself(Some(at)),
    };
    AttentionStatistics {
        size: first.len(),
        sep_to_smallest: sep_to_smallest(None),
        next_larger: next_larger(None),
        to_itself: to_itself(None),
        heads: heads.into_iter().enumerate().map(of_head).collect(),
    }
}

/// The share of items for which something holds; 0 of none.
pub(super) fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}

/// Which head of a block serves which token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Serving {
    /// Tokens in ascending order, in ranges served by one head.
    pub ranges: Vec<ServingRange>,
    /// Share of the tokens whose OV row peaks on themselves in the head that serves them.
    pub copied: f64,
}

impl Serving {
    /// The head that serves a token.
    ///
    /// # Errors
    /// A token that is no value.
    pub fn head_of(&self, token: Token) -> Result<Head> {
        let range = self.ranges.iter().find(|range| (range.from..=range.to).contains(&token));
        range.map(|range| range.head).ok_or_else(|| Error::invalid("token", "a value that a head serves", token))
    }
}

/// Neighbouring tokens that one head serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServingRange {
    /// The head with the largest OV diagonal.
    pub head: Head,
    /// The first token.
    pub from: Token,
    /// The last token.
    pub to: Token,
}

/// Which head serves each of the first `values` tokens: the one with the largest `W_OV_full[token, token]`.
///
/// # Errors
/// More values than the circuit has tokens or classes.
pub fn serving(circuits: &Circuits, values: usize) -> Result<Serving> {
    let ov = circuits.W_OV_full.view();
    let (_, sources, predictions) = ov.dim();
    if values == 0 || values > sources.min(predictions) {
        return Err(Error::invalid("values", format!("1 to {}", sources.min(predictions)), values));
    }
    let mut ranges: Vec<ServingRange> = Vec::new();
    let mut copied = 0;
    for token in 0..values {
        let head = argmax(ov.slice(s![.., token, token]));
        let row: ArrayView1<f32> = ov.slice(s![head, token, ..]);
        copied += usize::from(argmax(row) == token);
        let (head, token) = (Head { layer: circuits.layer, head }, token as Token);
        match ranges.last_mut() {
            Some(range) if range.head == head => range.to = token,
            _ => ranges.push(ServingRange { head, from: token, to: token }),
        }
    }
    Ok(Serving { ranges, copied: copied as f64 / values as f64 })
}
