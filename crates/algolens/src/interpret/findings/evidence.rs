//! What is measured of a model before its claims are judged.

use crate::{
    Result,
    interpret::{
        AttentionStatistics, Circuits, CloseTriples, EffectiveQk, Head, Method, POST_TRIPLES, Part, Serving,
        SmallestPoint, Step, Subject,
        ablation::{Ablation, ablate_from},
        attention::{share, statistics},
        circuits, close_triples, direct_path, effective_qk,
        families::{gap_steps, list_with, smallest_points},
        serving,
        steps::steps,
    },
    random,
    task::{Dataset, SortedList, Task, TaskSpec, Token},
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

/// Steps from d in lists that hold d, d+1 and d+2 too.
#[derive(Clone, Debug, PartialEq)]
pub struct WithoutDirectPath {
    /// Steps.
    pub size: usize,
    /// The share that is right.
    pub before: f64,
    /// The share that is right when the direct path is replaced by its mean.
    pub after: f64,
    /// How many of the post's triples then go wrong at x, of how many; none for other sizes of the task.
    pub post: Option<(usize, usize)>,
}

/// How the score of 0 for a large value comes about.
#[derive(Clone, Debug, PartialEq)]
pub struct ToZero {
    /// The large value.
    pub token: Token,
    /// The head whose drawn QK circuit prefers 0 most.
    pub head: usize,
    /// The mean over lists of each term of the score of 0 less that of the right answer, `[query term, key term]`.
    pub terms: [[f64; 2]; 3],
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
            to_zero: super::scores::to_zero(subject, task, &circuits, family_size, seed)?,
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

    /// The smallest value that is at least as large among this task's as `of_50` is among the post's.
    pub(super) fn scaled(&self, of_50: f64) -> Token {
        (of_50 / 50.0 * f64::from(self.task.max_value())).ceil() as Token
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

/// How many lists with d, d+1 and d+2 are looked at.
const RUNS: usize = 2000;

fn without_direct_path(
    subject: Subject,
    task: &SortedList,
    data: &Dataset,
    seed: u32,
) -> Result<Option<WithoutDirectPath>> {
    let max = task.max_value();
    if task.list_len() < 3 {
        return Ok(None);
    }
    let mut rng = random::stream(seed.into(), "lists with d, d+1 and d+2");
    let starts: Vec<Token> = (0..RUNS as u32).map(|at| at % (max - 1)).collect();
    let with_run =
        |d: &Token| list_with(&[*d, d + 1, d + 2], (0..=max).filter(|v| *v < *d || *v > d + 2), task, &mut rng);
    let runs = Dataset::from_inputs(task, &starts.iter().map(with_run).collect::<Vec<_>>())?;
    let ablation = Ablation { parts: vec![Part::DirectPath], method: Method::Mean, ..Ablation::default() };
    let right = |chosen: &Dataset, starts: &[Token]| -> Result<Vec<bool>> {
        let ablated = ablate_from(subject, 0.0, &ablation, data, data, Some(chosen))?.chosen;
        let at = |(prediction, d): (&crate::interpret::Prediction, &Token)| {
            // The predicted position that holds d.
            let slot = prediction.expected.iter().position(|value| value == d).map_or(0, |rank| rank + 1);
            prediction.predicted.get(slot) == prediction.expected.get(slot)
        };
        Ok(ablated.iter().zip(starts).map(at).collect())
    };
    let before: Vec<Step> = steps(subject, task, 0, &runs)?;
    let before: Vec<Step> = before.into_iter().filter(|step| step.d == starts[step.list]).collect();
    let post = if task.spec() == (TaskSpec::SortedList { list_len: 10, max_value: 50 }) {
        let lists = Dataset::from_inputs(task, &POST_TRIPLES.map(|(list, _)| list))?;
        let right = right(&lists, &POST_TRIPLES.map(|(_, [x, ..])| x))?;
        Some((right.iter().filter(|right| !**right).count(), right.len()))
    } else {
        None
    };
    let after = share(&right(&runs, &starts)?, |right| *right);
    Ok(Some(WithoutDirectPath { size: before.len(), before: share(&before, |step| step.right), after, post }))
}
