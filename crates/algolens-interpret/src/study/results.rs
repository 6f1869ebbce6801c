//! The results of a study.

use super::{ablations::AblationTable, lists::ShownList};
use crate::{
    Finding, Prediction,
    tasks::sorted_list::{
        AttentionStatistics, CopyHeads, GapPoint, SmallestPoint, TripleAttribution, TripleStatistics,
    },
};
use algolens_core::{
    evaluation::Evaluation,
    model::{Config, processing::Step},
    task::TaskSpec,
};
use serde::{Deserialize, Serialize};

/// The results of a study: all numbers that were measured of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyResults {
    /// The version of this structure.
    pub schema: u32,
    /// The version of algolens.
    pub version: String,
    /// The backend that ran the model; hooks are run by the plain one.
    pub engine: String,
    /// The dataset seed of the evaluation.
    pub seed: u32,
    /// The task.
    pub task: TaskSpec,
    /// True if nobody says the task: of those that the program knows only this one has the model's sizes. A study takes the task
    /// that it is given; who assumed it says so here.
    #[serde(default)]
    pub task_assumed: bool,
    /// The model's shape, after weight processing.
    pub config: Config,
    /// Number of parameters.
    pub parameters: usize,
    /// The processing steps that the weights went through.
    pub processing: Vec<Step>,
    /// Loss, probabilities and accuracy on the evaluation data.
    pub evaluation: Evaluation,
    /// The share of lists that greedy decoding sorts; none if attention is not causal.
    pub greedy_list_accuracy: Option<f64>,
    /// The cost of ablating each part, in nats.
    pub ablation: AblationTable,
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
    /// The lists that are shown one by one, in the order of the arrays' list axis.
    pub lists: Vec<ShownList>,
    /// The findings: the post's claims, measured and judged.
    pub findings: Vec<Finding>,
    /// Number of models of other seeds in the spread of findings.
    pub other_models: usize,
}

/// The version of [`StudyResults`].
pub(super) const SCHEMA: u32 = 2;
