//! Studies: every analysis of the post, for one model.

mod ablations;
mod lists;

pub use ablations::{AblationTable, Costs};
pub use lists::{Group, ShownList};

use super::{
    AttentionStatistics, CopyHeads, Evaluation, Evidence, EvidenceOptions, Finding, GapPoint, POST_TRIPLES, Prediction,
    SmallestPoint, Subject, Triple, TripleAttribution, TripleStatistics, evaluate, findings, gap_points, greedy,
    triple_attribution,
};
use algolens_core::{
    Error, Result,
    model::{
        AttentionDir, Config, Model,
        checkpoint::check_task,
        processing::{Processed, Step},
    },
    observer::Observer,
    task::{Dataset, SortedList, Task, TaskSpec, Token},
};
use ndarray::{ArrayD, Axis, Slice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The post's two adversarial lists.
pub const POST_ADVERSARIAL: [[Token; 10]; 2] =
    [[0, 40, 41, 42, 43, 44, 45, 46, 47, 48], [5, 30, 32, 34, 36, 38, 40, 42, 44, 46]];

/// The data and the models that a study is made on.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyOptions {
    /// Number of lists of the evaluation.
    pub size: usize,
    /// The dataset seed of the evaluation; resampled activations come from the data of the next one.
    pub seed: u32,
    /// Unsorted lists to show besides those that a study chooses.
    pub lists: Vec<Vec<Token>>,
    /// Models of the same task from other seeds, processed alike: the spread of findings.
    pub others: Vec<Model>,
}

impl Default for StudyOptions {
    /// The post's evaluation: 500 lists of seed 43.
    fn default() -> Self {
        Self { size: 500, seed: 43, lists: Vec::new(), others: Vec::new() }
    }
}

/// A stage of a study, reported to its observer as it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// The stage's name.
    pub what: &'static str,
    /// Number of stages before it.
    pub done: usize,
    /// Number of stages in all.
    pub total: usize,
}

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
    /// The model's shape, after weight processing.
    pub config: Config,
    /// Number of parameters.
    pub parameters: usize,
    /// The processing steps that the weights went through.
    pub processing: Vec<Step>,
    /// Loss, probabilities and accuracy on the evaluation data.
    pub evaluation: Evaluation,
    /// The share of lists that the model sorts when it writes the sorted half itself; none if its attention is not causal.
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

/// A study's arrays, by name; circuits are those of the first block.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

/// The version of [`StudyResults`].
const SCHEMA: u32 = 2;
/// The seed of the control's random weights.
const CONTROL_SEED: u64 = 0;
/// The names of the stages, in order.
const STAGES: [&str; 6] =
    ["evaluation", "ablation", "circuits and attention", "random weights", "other seeds", "lists"];

/// The study of a sorting model: every analysis of the post. `processing` names the processing that the weights went through
/// before. The observer hears of each stage as it begins.
///
/// # Errors
/// A model that is not of the task, or [`Error::Cancelled`].
pub fn study(
    subject: Subject,
    task: &SortedList,
    options: &StudyOptions,
    processing: &[Step],
    observer: &mut dyn Observer<Stage>,
) -> Result<(StudyResults, Arrays)> {
    let config = subject.model.config();
    check_task(&task.spec(), config)?;
    let mut stages = STAGES.iter().enumerate();
    let mut next = || -> Result<()> {
        let Some((done, what)) = stages.next() else { return Ok(()) };
        let heard = observer.on(Stage { what, done, total: STAGES.len() });
        if heard.is_break() { Err(Error::Cancelled) } else { Ok(()) }
    };
    let StudyOptions { size, seed, lists: yours, others } = options;
    let data = task.dataset(*size, *seed);
    next()?;
    let evaluation = evaluate(subject, &data)?;
    let greedy_list_accuracy = greedy_list_accuracy(subject, task, &data)?;
    next()?;
    let other = task.dataset(*size, seed.wrapping_add(1));
    let ablation = ablations::ablation_table(subject, evaluation.loss, &data, &other)?;
    next()?;
    let amounts = EvidenceOptions::new(task, *seed);
    let evidence = Evidence::gather(subject, task, &data, ablation.mean.clone(), amounts)?;
    let evidence_of_model = |model: &Model| -> Result<Evidence> {
        check_task(&task.spec(), model.config())?;
        let subject = Subject { model, engine: subject.engine };
        let costs = ablations::mean_ablations(subject, evaluate(subject, &data)?.loss, &data)?;
        Evidence::gather(subject, task, &data, costs, amounts)
    };
    next()?;
    let control = evidence_of_model(&control(subject.model, processing)?)?;
    next()?;
    let others_evidence = others.iter().map(evidence_of_model).collect::<Result<Vec<_>>>()?;
    next()?;
    let (groups, lists) = lists::choose(subject, task, &data, yours, *seed)?;
    let shown = lists::shown(subject, &groups, &lists)?;
    let mut arrays = evidence_arrays(&evidence);
    lists::arrays(subject, &lists, &mut arrays)?;
    first_lists(&mut arrays, &groups, config);
    let adversarial = shown.iter().filter(|list| list.group == Group::PostAdversarial);
    let results = StudyResults {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        engine: subject.engine.name().into(),
        seed: *seed,
        task: task.spec(),
        config: config.clone(),
        parameters: subject.model.params.layout().len(),
        processing: processing.to_vec(),
        evaluation,
        greedy_list_accuracy,
        ablation,
        ov_offsets: evidence.ov_offsets(),
        triples: if task.spec() == TaskSpec::POST { triples(subject, task, &evidence.copy_heads)? } else { Vec::new() },
        close_triples: evidence.triples.statistics(),
        adversarial: adversarial.map(|list| list.prediction.clone()).collect(),
        gaps: gap_points(&evidence.gaps),
        findings: findings(&evidence, &control, &others_evidence),
        smallest: evidence.smallest,
        attention: evidence.attention,
        copy_heads: evidence.copy_heads,
        lists: shown,
        other_models: others.len(),
    };
    Ok((results, arrays))
}

/// The control: a model of the same shape with random weights, processed alike.
fn control(model: &Model, processing: &[Step]) -> Result<Model> {
    let random = Model::init(model.config().clone(), CONTROL_SEED)?;
    if processing.is_empty() {
        return Ok(random);
    }
    let Processed { model, .. } = random.process();
    Ok(model)
}

/// The share of lists that greedy decoding sorts; none if attention is not causal.
fn greedy_list_accuracy(subject: Subject, task: &SortedList, data: &Dataset) -> Result<Option<f64>> {
    if subject.model.config().attention_dir != AttentionDir::Causal {
        return Ok(None);
    }
    let written = greedy(subject, task, data)?;
    let sorted = written.outer_iter().zip(data.targets().outer_iter()).filter(|(a, b)| a == b).count();
    Ok(Some(sorted as f64 / data.len() as f64))
}

/// The attributions of the post's triples, each through the copying head of its target (in the post's model, those the post
/// chose).
fn triples(subject: Subject, task: &SortedList, copy_heads: &CopyHeads) -> Result<Vec<TripleAttribution>> {
    let attribute = |(list, [x, y, z]): &([Token; 10], [Token; 3])| {
        let head = copy_heads.copying_head(*y)?;
        triple_attribution(subject, task, Triple { list, head, x: *x, y: *y, z: *z })
    };
    POST_TRIPLES.iter().map(attribute).collect()
}

/// The arrays of circuits and close triples.
fn evidence_arrays(evidence: &Evidence) -> Arrays {
    let Evidence { circuits, direct_path, effective, triples, .. } = evidence;
    let arrays = [
        ("W_OV_full", circuits.W_OV_full.clone().into_dyn()),
        ("W_QK_full", circuits.W_QK_full.clone().into_dyn()),
        ("W_QK_pos_query", circuits.W_QK_pos_query.clone().into_dyn()),
        ("W_QK_pos_key", circuits.W_QK_pos_key.clone().into_dyn()),
        ("QK_effective", effective.scores.clone().into_dyn()),
        ("direct_path", direct_path.clone().into_dyn()),
        ("triple_tokens", triples.tokens.mapv(|token| token as f32).into_dyn()),
        ("triple_dla", triples.dla.mapv(|logit| logit as f32).into_dyn()),
    ];
    arrays.map(|(name, array)| (name.to_owned(), array)).into()
}

/// Adds the parts of the lists' arrays that have names of their own: `pattern_first_10 [list, head of the first block, query,
/// key]`, `probs_first_list [class, predicted position]`, and `probs_custom` of the post's adversarial lists.
fn first_lists(arrays: &mut Arrays, groups: &[Group], config: &Config) {
    let in_group = |group: Group| -> Vec<usize> { (0..groups.len()).filter(|list| groups[*list] == group).collect() };
    let random = in_group(Group::Random);
    let first = arrays["pattern"].select(Axis(0), &random);
    let first = first.slice_axis(Axis(1), Slice::from(..config.n_heads)).to_owned();
    let first_probs = arrays["probs"].index_axis(Axis(0), random[0]).to_owned();
    let custom = arrays["probs"].select(Axis(0), &in_group(Group::PostAdversarial));
    for (name, array) in [("pattern_first_10", first), ("probs_first_list", first_probs), ("probs_custom", custom)] {
        arrays.insert(name.into(), array);
    }
}
