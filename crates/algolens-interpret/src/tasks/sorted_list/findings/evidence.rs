//! The evidence that claims are judged by: everything measured of one model.

use super::experiments::{ToZero, WithoutDirectPath, to_zero, without_direct_path};
use crate::{
    CircuitMaps, Circuits, CopyHeads, EffectiveQk, Head, Subject, copy_heads,
    tasks::sorted_list::{
        AttentionStatistics, CloseTriples, PredictionSite, SmallestPoint, attention::statistics, close_triples,
        gap_sites, prediction_sites, smallest_points,
    },
};
use algolens_core::{
    Result,
    task::{Dataset, SortedList, Token},
};
use ndarray::Array2;
use std::collections::BTreeMap;

/// Sample sizes and the seed of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// Number of lists of each member of a family (each gap, each smallest value).
    pub family_size: usize,
    /// Number of lists of each close triple.
    pub triple_lists: usize,
    /// Number of lists that the effective QK map is averaged over.
    pub effective_size: usize,
    /// The seed that lists are drawn from.
    pub seed: u32,
}

impl EvidenceOptions {
    /// Sample sizes for every number that a study shows; smaller ones for large vocabularies.
    pub fn new(task: &SortedList, seed: u32) -> Self {
        const FAMILY_LISTS: usize = 10_000;
        const TRIPLE_LISTS: usize = 200;
        let values = task.max_value() as usize + 1;
        Self {
            family_size: (FAMILY_LISTS / values).clamp(10, 200),
            triple_lists: (TRIPLE_LISTS / values).clamp(1, 8),
            // Each pair of the post's tokens then stands in a few hundred lists, so that rankings hold.
            effective_size: 5000,
            seed,
        }
    }
}

/// The evidence that claims are judged by: measurements of one model; circuits and attention are those of the first block.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The task.
    pub task: SortedList,
    /// The full OV and QK circuits.
    pub circuits: Circuits,
    /// The direct path `W_E W_U [source, prediction]`.
    pub direct_path: Array2<f32>,
    /// The effective QK map.
    pub effective: EffectiveQk,
    /// The copying head of each value.
    pub copy_heads: CopyHeads,
    /// The prediction sites of the evaluation data.
    pub sites: Vec<PredictionSite>,
    /// The attention statistics of these sites.
    pub attention: AttentionStatistics,
    /// The cost of mean-ablating each head of the model, in nats.
    pub ablation: BTreeMap<Head, f64>,
    /// The prediction sites in front of every gap.
    pub gaps: Vec<(u32, Vec<PredictionSite>)>,
    /// The statistics at SEP for every smallest value.
    pub smallest: Vec<SmallestPoint>,
    /// The attributions of the close triples.
    pub triples: CloseTriples,
    /// Accuracy at d in lists with d, d+1 and d+2, with and without the direct path; none where lists are too short.
    pub without_direct_path: Option<WithoutDirectPath>,
    /// The score terms that keep a large value from attending to 0; none where lists are too short.
    pub to_zero: Option<ToZero>,
}

impl Evidence {
    /// The evidence of a model. `data` is its evaluation data, `maps` are its circuits, and `ablation` is the cost of
    /// mean-ablating each head on the data, in nats.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn gather(
        subject: Subject,
        task: &SortedList,
        data: &Dataset,
        maps: &CircuitMaps,
        ablation: BTreeMap<Head, f64>,
        options: EvidenceOptions,
    ) -> Result<Self> {
        let EvidenceOptions { family_size, triple_lists, seed, .. } = options;
        let CircuitMaps { circuits, direct_path, effective } = maps.clone();
        let copy_heads = copy_heads(&circuits, task.max_value() as usize + 1)?;
        let sites = prediction_sites(subject, task, 0, data)?;
        Ok(Self {
            direct_path,
            effective,
            attention: statistics(&sites, task, Head::of_layer(subject.model.config(), 0)),
            ablation,
            gaps: gap_sites(subject, task, family_size, seed)?,
            smallest: smallest_points(subject, task, family_size, seed)?,
            triples: close_triples(subject, task, &copy_heads, triple_lists, seed)?,
            without_direct_path: without_direct_path(subject, task, data, seed)?,
            to_zero: to_zero(subject, task, &circuits, family_size, seed)?,
            task: task.clone(),
            circuits,
            copy_heads,
            sites,
        })
    }

    /// The number of heads of the first block.
    pub fn heads(&self) -> usize {
        self.circuits.W_OV_full.dim().0
    }

    /// The value of this task that corresponds to `post_value` of the post's 0 to 50, rounded down.
    pub(super) fn scaled(&self, post_value: f64) -> Token {
        (post_value / 50.0 * f64::from(self.task.max_value())).floor() as Token
    }

    /// The index of a value's copying head, in the first block.
    pub(super) fn copying_head(&self, value: Token) -> usize {
        self.copy_heads.copying_head(value).map_or(0, |head| head.head)
    }

    /// The main head: that which is the copying head of the most values.
    pub(super) fn main_head(&self) -> usize {
        let copied_values = |head: usize| self.values().filter(|value| self.copying_head(*value) == head).count();
        (0..self.heads()).rev().max_by_key(|head| copied_values(*head)).unwrap_or(0)
    }

    /// The values that lists hold.
    pub(super) fn values(&self) -> impl Iterator<Item = Token> {
        0..=self.task.max_value()
    }
}
