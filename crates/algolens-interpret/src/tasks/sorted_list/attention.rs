//! Attention statistics of a sorting model.

use super::sites::{PredictionSite, prediction_sites};
use crate::{Head, Subject, share::share};
use algolens_core::{
    Result,
    task::{Dataset, SortedList},
};
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
