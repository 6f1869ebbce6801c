//! What is measured of a model before its claims are judged.

use super::experiments::{ToZero, WithoutDirectPath, to_zero, without_direct_path};
use crate::{
    AttentionStatistics, Circuits, CloseTriples, EffectiveQk, Head, Serving, SmallestPoint, Step, Subject,
    attention::statistics,
    circuits, close_triples, direct_path, effective_qk,
    families::{gap_steps, smallest_points},
    serving,
    steps::steps,
};
use algolens_core::{
    Result,
    task::{Dataset, SortedList, Token},
};
use ndarray::Array2;
use std::collections::BTreeMap;

/// How much of everything is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Lists of each member of a family (each gap, each smallest value).
    pub family_size: usize,
    /// Lists of each close triple.
    pub triple_lists: usize,
    /// Lists that the effective QK map is averaged over.
    pub effective_size: usize,
    /// What lists are drawn from.
    pub seed: u32,
}

impl Options {
    /// Enough for every number that a study shows; less of each for vocabularies that have very many.
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

/// Everything that claims are judged by; circuits and attention are those of the first block.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The task.
    pub task: SortedList,
    /// What the weights alone say.
    pub circuits: Circuits,
    /// What a token does to the logits at its own position, `[source, prediction]`.
    pub direct_path: Array2<f32>,
    /// What the model really scores.
    pub effective: EffectiveQk,
    /// Which head serves which value.
    pub serving: Serving,
    /// The steps of the evaluation data.
    pub steps: Vec<Step>,
    /// Their attention.
    pub attention: AttentionStatistics,
    /// What mean-ablating each head of the model costs, in nats.
    pub ablation: BTreeMap<Head, f64>,
    /// The steps over every gap.
    pub gaps: Vec<(u32, Vec<Step>)>,
    /// SEP in front of every smallest value.
    pub smallest: Vec<SmallestPoint>,
    /// The close triples.
    pub triples: CloseTriples,
    /// d, d+1, d+2 without the direct path; none where lists are too short.
    pub without_direct_path: Option<WithoutDirectPath>,
    /// Where a large value could attend to 0: `[query term, key term]` of the score of 0 less that of the right answer.
    pub to_zero: Option<ToZero>,
}

impl Evidence {
    /// Measures a model. `data` is what it is evaluated on, and `ablation` what mean-ablating each head costs it there.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn gather(
        subject: Subject,
        task: &SortedList,
        data: &Dataset,
        ablation: BTreeMap<Head, f64>,
        options: Options,
    ) -> Result<Self> {
        let Options { family_size, triple_lists, effective_size, seed } = options;
        let circuits = circuits(subject.model, 0)?;
        let serving = serving(&circuits, task.max_value() as usize + 1)?;
        let steps = steps(subject, task, 0, data)?;
        Ok(Self {
            direct_path: direct_path(subject.model),
            effective: effective_qk(subject, &task.dataset(effective_size, seed))?,
            attention: statistics(&steps, task, Head::of_layer(subject.model.config(), 0)),
            ablation,
            gaps: gap_steps(subject, task, family_size, seed)?,
            smallest: smallest_points(subject, task, family_size, seed)?,
            triples: close_triples(subject, task, &serving, triple_lists, seed)?,
            without_direct_path: without_direct_path(subject, task, data, seed)?,
            to_zero: to_zero(subject, task, &circuits, family_size, seed)?,
            task: task.clone(),
            circuits,
            serving,
            steps,
        })
    }

    /// The heads of the first block.
    pub fn heads(&self) -> usize {
        self.circuits.W_OV_full.dim().0
    }

    /// The largest value that is at most as large among this task's as `of_50` is among the post's.
    pub(super) fn scaled(&self, of_50: f64) -> Token {
        (of_50 / 50.0 * f64::from(self.task.max_value())).floor() as Token
    }

    /// The head of the first block that serves a value.
    pub(super) fn server(&self, value: Token) -> usize {
        self.serving.head_of(value).map_or(0, |head| head.head)
    }

    /// The head that serves the most values.
    pub(super) fn main_head(&self) -> usize {
        let served = |head: usize| self.values().filter(|value| self.server(*value) == head).count();
        (0..self.heads()).rev().max_by_key(|head| served(*head)).unwrap_or(0)
    }

    /// The values that lists hold.
    pub(super) fn values(&self) -> impl Iterator<Item = Token> {
        0..=self.task.max_value()
    }
}
