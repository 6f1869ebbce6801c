//! Attention statistics of a sorting model, and its copying heads.

use super::{
    Circuits, Head, Subject,
    sites::{PredictionSite, prediction_sites},
};
use algolens_core::{
    Error, Result,
    engine::loss::argmax,
    task::{Dataset, SortedList, Token},
};
use ndarray::{ArrayView1, s};
use serde::{Deserialize, Serialize};

/// Shares of queries that attend most to the token they should, over a dataset, in one block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionStatistics {
    /// Number of lists.
    pub size: usize,
    /// Share of lists in which SEP attends most to the smallest value in some head.
    pub sep_to_smallest: f64,
    /// Share of the sorted values (but the largest) that attend most to the smallest value above them in some head.
    pub next_larger: f64,
    /// Share of the sorted values (but the largest) that attend most to themselves, in either half, in some head.
    pub to_itself: f64,
    /// The same shares head by head.
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
    Ok(statistics(&prediction_sites(subject, task, layer, data)?, task, Head::of_layer(subject.model.config(), layer)))
}

/// The attention statistics of prediction sites whose patterns are those of `heads`.
pub(super) fn statistics(sites: &[PredictionSite], task: &SortedList, heads: Vec<Head>) -> AttentionStatistics {
    let (first, sorted): (Vec<&PredictionSite>, Vec<&PredictionSite>) =
        sites.iter().partition(|site| site.is_first(task));
    // In the head, or in some head.
    let attends_most_to = |site: &PredictionSite, head: Option<usize>, token| {
        head.map_or(site.attends_most_to(token), |head| site.top_attended[head] == token)
    };
    let sep_to_smallest = |head| share(&first, |site| attends_most_to(site, head, site.target));
    let next_larger = |head| share(&sorted, |site| attends_most_to(site, head, site.target));
    let to_itself = |head| share(&sorted, |site| attends_most_to(site, head, site.d));
    let head_shares = |(at, head)| HeadShares {
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
        heads: heads.into_iter().enumerate().map(head_shares).collect(),
    }
}

/// The share of items that satisfy a predicate; 0 for no items.
pub(super) fn share<T>(items: &[T], holds: impl Fn(&T) -> bool) -> f64 {
    items.iter().filter(|item| holds(item)).count() as f64 / items.len().max(1) as f64
}

/// The copying head of every value: the head of one block with the largest OV diagonal there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyHeads {
    /// Values in ascending order, in ranges with one copying head.
    pub ranges: Vec<CopyHeadRange>,
    /// Share of the values whose OV row, in their copying head, peaks on themselves.
    pub copied: f64,
}

impl CopyHeads {
    /// The copying head of a value.
    ///
    /// # Errors
    /// A token that is no value.
    pub fn copying_head(&self, token: Token) -> Result<Head> {
        let range = self.ranges.iter().find(|range| (range.from..=range.to).contains(&token));
        range.map(|range| range.head).ok_or_else(|| Error::invalid("token", "a value that a head serves", token))
    }
}

/// Neighbouring values with the same copying head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHeadRange {
    /// Their copying head.
    pub head: Head,
    /// The first value.
    pub from: Token,
    /// The last value.
    pub to: Token,
}

/// The copying head of each of the first `values` tokens: the one with the largest `W_OV_full[token, token]`.
///
/// # Errors
/// More values than the circuit has tokens or classes.
pub fn copy_heads(circuits: &Circuits, values: usize) -> Result<CopyHeads> {
    let ov = circuits.W_OV_full.view();
    let (_, sources, predictions) = ov.dim();
    if values == 0 || values > sources.min(predictions) {
        return Err(Error::invalid("values", format!("1 to {}", sources.min(predictions)), values));
    }
    let mut ranges: Vec<CopyHeadRange> = Vec::new();
    let mut copied = 0;
    for token in 0..values {
        let head = argmax(ov.slice(s![.., token, token]));
        let row: ArrayView1<f32> = ov.slice(s![head, token, ..]);
        copied += usize::from(argmax(row) == token);
        let (head, token) = (Head { layer: circuits.layer, head }, token as Token);
        match ranges.last_mut() {
            Some(range) if range.head == head => range.to = token,
            _ => ranges.push(CopyHeadRange { head, from: token, to: token }),
        }
    }
    Ok(CopyHeads { ranges, copied: copied as f64 / values as f64 })
}
