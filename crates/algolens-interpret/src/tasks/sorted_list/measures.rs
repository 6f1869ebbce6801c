//! What the casebook of sorting measures.

use super::{AttentionStatistics, GapPoint, SmallestPoint, TripleAttribution, TripleStatistics};
use crate::{CopyHeads, Prediction};
use serde::{Deserialize, Serialize};

/// What a study of a sorting model measures besides what every study does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures {
    /// The share of lists that greedy decoding sorts; none if attention is not causal.
    pub greedy_list_accuracy: Option<f64>,
    /// The attention statistics of the first block.
    pub attention: AttentionStatistics,
    /// The copying head of each value, in the first block.
    #[serde(rename = "serving")]
    pub copy_heads: CopyHeads,
    /// The mean OV around the diagonal, by offset, in the copying head of the source.
    pub ov_offsets: Vec<(i64, f64)>,
    /// The attributions of the post's triples; empty for other sizes of the task.
    pub triples: Vec<TripleAttribution>,
    /// The attributions of all close triples in a few numbers; none where lists are too short.
    pub close_triples: Option<TripleStatistics>,
    /// The predictions for the post's adversarial lists; empty for other sizes of the task.
    pub adversarial: Vec<Prediction>,
    /// Accuracy and attention over every gap.
    pub gaps: Vec<GapPoint>,
    /// Accuracy and attention at SEP for every smallest value.
    pub smallest: Vec<SmallestPoint>,
}
