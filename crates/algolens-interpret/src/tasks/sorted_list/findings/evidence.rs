//! The evidence that claims are judged by: everything measured of one model.

use super::experiments::{Repair, Runs, ToZero, repairs, runs, to_zero};
use crate::{
    Circuits, CopyHeads, Head, Shown, Subject, circuits,
    claims::{Control, Rate},
    copy_heads, direct_path,
    head_costs::{HeadCosts, head_costs},
    tasks::sorted_list::{
        AttentionStatistics, CloseTriples, PredictionSite, attention::statistics, close_triples,
        families::sites_within, gap_sites, prediction_sites, smallest_sites,
    },
};
use algolens_core::{
    Result,
    task::{Dataset, SortedList, Token},
};
use ndarray::Array2;

/// Sample sizes and the seed of the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// Most lists of the evaluation data that are looked at.
    pub lists: usize,
    /// Number of lists of each member of a family (each gap, each smallest value).
    pub family_size: usize,
    /// Number of lists of each close triple.
    pub triple_lists: usize,
    /// Number of lists with d, d+1 and d+2.
    pub runs: usize,
    /// Number of lists of each large value in which its attention to 0 is looked at.
    pub zero_lists: usize,
    /// True if wrong steps over gaps are run again with keys taken away.
    pub repairs: bool,
    /// True if heads are ablated.
    pub head_costs: bool,
    /// The seed that lists are drawn from.
    pub seed: u32,
}

impl EvidenceOptions {
    /// Sample sizes for every number that a study shows; smaller ones for large vocabularies.
    pub fn new(task: &SortedList, seed: u32) -> Self {
        const FAMILY_LISTS: usize = 10_000;
        const TRIPLE_LISTS: usize = 200;
        const ZERO_LISTS: usize = 1050;
        let values = task.max_value() as usize + 1;
        Self {
            lists: usize::MAX,
            family_size: (FAMILY_LISTS / values).clamp(10, 200),
            triple_lists: (TRIPLE_LISTS / values).clamp(1, 8),
            runs: 2000,
            zero_lists: (ZERO_LISTS / values).clamp(1, 20),
            repairs: true,
            head_costs: true,
            seed,
        }
    }

    /// Sample sizes for a control, whose numbers are only compared with those of the model.
    pub fn of_control(control: Control, task: &SortedList, seed: u32) -> Self {
        const FAMILY_LISTS: usize = 500;
        const ZERO_LISTS: usize = 250;
        let values = task.max_value() as usize + 1;
        Self {
            lists: 100,
            family_size: (FAMILY_LISTS / values).clamp(4, 10),
            triple_lists: 1,
            runs: 200,
            zero_lists: (ZERO_LISTS / values).clamp(1, 4),
            repairs: false,
            // Of all controls only random weights are one for the order of heads.
            head_costs: control == Control::RandomWeights,
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
    /// The copying head of each value.
    pub copy_heads: CopyHeads,
    /// The prediction sites of the evaluation data.
    pub sites: Vec<PredictionSite>,
    /// The costs of mean-ablating the model's heads; none in controls for which they mean nothing.
    pub costs: HeadCosts,
    /// The prediction sites in front of every gap.
    pub gaps: Vec<(u32, Vec<PredictionSite>)>,
    /// Wrong steps over gaps with keys taken away; none in a control.
    pub repairs: Vec<Repair>,
    /// The prediction sites at SEP for every smallest value.
    pub smallest: Vec<(Token, Vec<PredictionSite>)>,
    /// The prediction sites at SEP of lists within the post's 30 to 50; none where that range is too small for a list.
    pub large: Vec<PredictionSite>,
    /// The attributions of the close triples.
    pub triples: CloseTriples,
    /// Answers in lists with d, d+1 and d+2, with and without the direct path; none where lists are too short.
    pub runs: Runs,
    /// What keeps large values from attending to 0; none where lists are too short.
    pub to_zero: Vec<ToZero>,
}

impl Evidence {
    /// The evidence of a model. `data` is its evaluation data.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn gather(subject: Subject, task: &SortedList, data: &Dataset, options: EvidenceOptions) -> Result<Self> {
        let EvidenceOptions { family_size, triple_lists, seed, .. } = options;
        let data = data.select(&(0..options.lists.min(data.len())).collect::<Vec<_>>());
        let every_token = Shown::all(subject.model.config());
        let circuits = circuits(subject.model, 0, &every_token)?;
        let copy_heads = copy_heads(&circuits, task.max_value() as usize + 1)?;
        let gaps = gap_sites(subject, task, family_size, seed)?;
        Ok(Self {
            direct_path: direct_path(subject.model, &every_token)?,
            costs: if options.head_costs { head_costs(subject, &data)? } else { HeadCosts::default() },
            repairs: if options.repairs { repairs(subject, task, &gaps, family_size, seed)? } else { Vec::new() },
            gaps,
            smallest: smallest_sites(subject, task, family_size, seed)?,
            large: sites_within(subject, task, scaled(task, LARGE_FROM), 5 * family_size, seed)?,
            triples: close_triples(subject, task, &copy_heads, triple_lists, seed)?,
            runs: runs(subject, task, &data, options.runs, seed)?,
            to_zero: to_zero(subject, task, options.zero_lists, seed)?,
            sites: prediction_sites(subject, task, 0, &data)?,
            task: task.clone(),
            circuits,
            copy_heads,
        })
    }

    /// The attention statistics of the evaluation data.
    pub fn attention(&self) -> AttentionStatistics {
        let heads = (0..self.heads()).map(|head| Head { layer: self.circuits.layer, head });
        statistics(&self.sites, &self.task, heads.collect())
    }

    /// The number of heads of the first block.
    pub fn heads(&self) -> usize {
        self.circuits.W_OV_full.dim().0
    }

    /// The value of this task that corresponds to `post_value` of the post's 0 to 50, rounded down.
    pub(super) fn scaled(&self, post_value: f64) -> Token {
        scaled(&self.task, post_value)
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

    /// The sites of the evaluation data at SEP.
    pub(super) fn first_sites(&self) -> impl Iterator<Item = &PredictionSite> {
        self.sites.iter().filter(|site| site.is_first(&self.task))
    }

    /// The sites of the evaluation data at sorted values.
    pub(super) fn sorted_sites(&self) -> impl Iterator<Item = &PredictionSite> {
        self.sites.iter().filter(|site| !site.is_first(&self.task))
    }
}

/// The smallest value, of 50, of the lists that the post expects SEP to fail on.
const LARGE_FROM: f64 = 30.0;

/// The value of a task that corresponds to `post_value` of the post's 0 to 50, rounded down.
fn scaled(task: &SortedList, post_value: f64) -> Token {
    (post_value / 50.0 * f64::from(task.max_value())).floor() as Token
}

/// The rate of sites for which something holds, by list; none where there is no site.
pub(super) fn rate<'a>(
    sites: impl IntoIterator<Item = &'a PredictionSite>,
    holds: impl Fn(&PredictionSite) -> bool,
) -> Option<Rate> {
    Rate::by_list(sites.into_iter().map(|site| (site.list, holds(site))))
}
