//! Everything at once: the whole post, for one model.

use super::{
    Ablation, AttentionStatistics, Circuits, Evaluation, Head, Method, POST_TRIPLES, Part, Prediction, Serving,
    Subject, Triple, TripleAttribution, ablation::ablate_from, attention_statistics, circuits, direct_path,
    effective_qk, evaluate, greedy, predict, probabilities, serving, triple_attribution,
};
use crate::{
    Error, Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    model::{AttentionDir, Config, checkpoint::check_task, processing::Step},
    observer::Observer,
    task::{Dataset, SortedList, Task, TaskSpec, Token},
};
use ndarray::{ArrayD, Axis, Ix4};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The post's two adversarial lists.
pub const POST_ADVERSARIAL: [[Token; 10]; 2] =
    [[0, 40, 41, 42, 43, 44, 45, 46, 47, 48], [5, 30, 32, 34, 36, 38, 40, 42, 44, 46]];

/// What a study is made on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StudyOptions {
    /// Lists of the evaluation.
    pub size: usize,
    /// The dataset seed of the evaluation; what is resampled comes from the next one.
    pub seed: u32,
}

impl Default for StudyOptions {
    /// The post's: 500 lists of seed 43.
    fn default() -> Self {
        Self { size: 500, seed: 43 }
    }
}

/// A part of a study, as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What is being done.
    pub what: &'static str,
    /// Parts done.
    pub done: usize,
    /// Parts in all.
    pub of: usize,
}

/// Everything that was found out about a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyResults {
    /// The version of this structure.
    pub schema: u32,
    /// The version of algolens.
    pub version: String,
    /// The engine that ran the model; what needs hooks is run by the plain one.
    pub engine: String,
    /// The dataset seed of the evaluation.
    pub seed: u32,
    /// The task.
    pub task: TaskSpec,
    /// The model's shape, after weight processing.
    pub config: Config,
    /// Parameters.
    pub parameters: usize,
    /// The processing steps that the weights went through.
    pub processing: Vec<Step>,
    /// How well the model does.
    pub evaluation: Evaluation,
    /// Share of lists that the model sorts when it writes the sorted half itself: equal to the list accuracy. Absent for
    /// models whose attention is not causal, which read the answers.
    pub greedy_list_accuracy: Option<f64>,
    /// What ablations cost, in nats.
    pub ablation: AblationTable,
    /// Who attends to whom, in the first block.
    pub attention: AttentionStatistics,
    /// Which head of the first block serves which token.
    pub serving: Serving,
    /// The post's triples; empty for other sizes of the task.
    pub triples: Vec<TripleAttribution>,
    /// The post's adversarial lists; empty for other sizes of the task.
    pub adversarial: Vec<Prediction>,
}

/// Increases of the loss, in nats, by what was ablated and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AblationTable {
    /// Each head replaced by its mean over the data.
    pub mean: BTreeMap<Head, f64>,
    /// Each head replaced by zero.
    pub zero: BTreeMap<Head, f64>,
    /// Each head replaced by what it is on other data.
    pub resample: BTreeMap<Head, f64>,
    /// Other parts: `all_heads`, `direct_path`, `pos_embed`.
    pub parts: BTreeMap<String, Costs>,
}

/// Increases of the loss, in nats, by how a part was ablated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Replaced by its mean over the data.
    pub mean: f64,
    /// Replaced by zero.
    pub zero: f64,
    /// Replaced by what it is on other data.
    pub resample: f64,
}

impl AblationTable {
    /// Every head and part by name, heads first.
    pub fn rows(&self) -> Vec<(String, Costs)> {
        let of = |column: &BTreeMap<Head, f64>, head: &Head| column.get(head).copied().unwrap_or(f64::NAN);
        let costs = |(head, mean): (&Head, &f64)| {
            let costs = Costs { mean: *mean, zero: of(&self.zero, head), resample: of(&self.resample, head) };
            (head.to_string(), costs)
        };
        let parts = self.parts.iter().map(|(name, costs)| (name.replace('_', " "), *costs));
        self.mean.iter().map(costs).chain(parts).collect()
    }
}

/// A study's arrays, by name; circuits and patterns are those of the first block.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

const SCHEMA: u32 = 1;
/// Lists that the effective QK map is averaged over: each pair of tokens stands in a few hundred, so that rankings hold.
const EFFECTIVE_QK_SIZE: usize = 5000;
const STAGES: [&str; 5] = ["evaluation", "ablation", "circuits", "attention", "attribution"];

/// Studies a sorting model: all of the post. `processing` names the steps that the weights went through before.
///
/// The observer hears of each part as it begins.
///
/// # Errors
/// A model that is not of the task, or [`Error::Cancelled`].
pub fn study(
    subject: Subject,
    task: &SortedList,
    options: StudyOptions,
    processing: &[Step],
    observer: &mut dyn Observer<Stage>,
) -> Result<(StudyResults, Arrays)> {
    let config = subject.model.config();
    check_task(&task.spec(), config)?;
    let mut stages = STAGES.iter().enumerate();
    let mut next = || -> Result<()> {
        let Some((done, what)) = stages.next() else { return Ok(()) };
        let heard = observer.on(Stage { what, done, of: STAGES.len() });
        if heard.is_break() { Err(Error::Cancelled) } else { Ok(()) }
    };
    let data = task.dataset(options.size, options.seed);
    next()?;
    let evaluation = evaluate(subject, &data)?;
    let greedy_list_accuracy = greedy_list_accuracy(subject, task, &data)?;
    next()?;
    let other = task.dataset(options.size, options.seed.wrapping_add(1));
    let ablation = ablation_table(subject, evaluation.loss, &data, &other)?;
    next()?;
    // The circuits of the first block: the post's model has no other.
    let circuits = circuits(subject.model, 0)?;
    let values = task.max_value() as usize + 1;
    let serving = serving(&circuits, values)?;
    next()?;
    let attention = attention_statistics(subject, task, 0, &data)?;
    next()?;
    let of_post = task.spec() == TaskSpec::SortedList { list_len: 10, max_value: 50 };
    let adversarial = Dataset::from_inputs(task, if of_post { &POST_ADVERSARIAL[..] } else { &[] })?;
    let results = StudyResults {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        engine: subject.engine.name().into(),
        seed: options.seed,
        task: task.spec(),
        config: config.clone(),
        parameters: subject.model.params.layout().len(),
        processing: processing.to_vec(),
        evaluation,
        greedy_list_accuracy,
        ablation,
        attention,
        triples: if of_post { triples(subject, task, &serving)? } else { Vec::new() },
        serving,
        adversarial: predict(subject, &adversarial)?,
    };
    let sample = task.dataset(EFFECTIVE_QK_SIZE, options.seed);
    Ok((results, arrays(subject, &data, &sample, &adversarial, circuits)?))
}

fn greedy_list_accuracy(subject: Subject, task: &SortedList, data: &Dataset) -> Result<Option<f64>> {
    if subject.model.config().attention_dir != AttentionDir::Causal {
        return Ok(None);
    }
    let written = greedy(subject, task, data)?;
    let sorted = written.outer_iter().zip(data.targets().outer_iter()).filter(|(a, b)| a == b).count();
    Ok(Some(sorted as f64 / data.len() as f64))
}

/// The post's triples, each through the head that serves the right answer (in the post's model, those the post chose).
fn triples(subject: Subject, task: &SortedList, serving: &Serving) -> Result<Vec<TripleAttribution>> {
    let attribute = |(list, [x, y, z]): &([Token; 10], [Token; 3])| {
        let head = serving.head_of(*y)?;
        triple_attribution(subject, task, Triple { list, head, x: *x, y: *y, z: *z })
    };
    POST_TRIPLES.iter().map(attribute).collect()
}

/// What ablations cost a model whose loss on `data` is `loss_before`.
fn ablation_table(subject: Subject, loss_before: f64, data: &Dataset, other: &Dataset) -> Result<AblationTable> {
    let costs = |parts: &[Part]| -> Result<Costs> {
        let cost = |method| {
            let ablation = Ablation { parts: parts.to_vec(), method, ..Ablation::default() };
            Ok(ablate_from(subject, loss_before, &ablation, data, other, None)?.loss_increase)
        };
        Ok(Costs { mean: cost(Method::Mean)?, zero: cost(Method::Zero)?, resample: cost(Method::Resample)? })
    };
    let mut table = AblationTable::default();
    let heads = Head::all(subject.model.config());
    for &head in &heads {
        let Costs { mean, zero, resample } = costs(&[Part::Head(head)])?;
        table.mean.insert(head, mean);
        table.zero.insert(head, zero);
        table.resample.insert(head, resample);
    }
    let all: Vec<Part> = heads.into_iter().map(Part::Head).collect();
    table.parts.insert("all_heads".into(), costs(&all)?);
    table.parts.insert("direct_path".into(), costs(&[Part::DirectPath])?);
    table.parts.insert("pos_embed".into(), costs(&[Part::PosEmbed])?);
    Ok(table)
}

fn arrays(
    subject: Subject,
    data: &Dataset,
    sample: &Dataset,
    adversarial: &Dataset,
    circuits: Circuits,
) -> Result<Arrays> {
    const SHOWN: usize = 10;
    let first: Vec<usize> = (0..data.len().min(SHOWN)).collect();
    let first = data.select(&first);
    let pattern = HookPoint::Block(0, BlockPoint::Pattern).to_string();
    let (_, cache) = subject.engine.run_with_cache(subject.model, first.tokens(), Filter::Names(&[&pattern]))?;
    let first_list = probabilities(subject, &first.select(&[0]))?.index_axis_move(Axis(0), 0);
    let Circuits { layer: _, W_OV_full: ov, W_QK_full: qk, W_QK_pos_query: pos_query, W_QK_pos_key: pos_key } =
        circuits;
    Ok(Arrays::from(
        [
            ("W_OV_full", ov.into_dyn()),
            ("W_QK_full", qk.into_dyn()),
            ("W_QK_pos_query", pos_query.into_dyn()),
            ("W_QK_pos_key", pos_key.into_dyn()),
            ("QK_effective", effective_qk(subject, sample)?.scores.into_dyn()),
            ("direct_path", direct_path(subject.model).into_dyn()),
            ("probs_first_list", first_list.into_dyn()),
            ("probs_custom", probabilities(subject, adversarial)?.into_dyn()),
            ("pattern_first_10", cache.get::<Ix4>(&pattern)?.to_owned().into_dyn()),
        ]
        .map(|(name, array)| (name.to_owned(), array)),
    ))
}
