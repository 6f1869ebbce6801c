//! Everything at once: the whole post, for one model.

mod ablations;
mod lists;

pub use ablations::{AblationTable, Costs};
pub use lists::{Group, ShownList};

use super::{
    AttentionStatistics, Evaluation, Evidence, EvidenceOptions, Finding, GapPoint, POST_TRIPLES, Prediction, Serving,
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

/// What a study is made on.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyOptions {
    /// Lists of the evaluation.
    pub size: usize,
    /// The dataset seed of the evaluation; what is resampled comes from the next one.
    pub seed: u32,
    /// Lists that a user wants to see, unsorted.
    pub lists: Vec<Vec<Token>>,
    /// Models of the same task from other seeds, processed alike: the spread of findings.
    pub others: Vec<Model>,
}

impl Default for StudyOptions {
    /// The post's: 500 lists of seed 43.
    fn default() -> Self {
        Self { size: 500, seed: 43, lists: Vec::new(), others: Vec::new() }
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
    /// The share of lists that the model sorts when it writes the sorted half itself; none if its attention is not causal.
    pub greedy_list_accuracy: Option<f64>,
    /// What ablations cost.
    pub ablation: AblationTable,
    /// Who attends to whom, in the first block.
    pub attention: AttentionStatistics,
    /// Which head of the first block serves which token.
    pub serving: Serving,
    /// The mean OV around the diagonal, by offset, in the head that serves the source.
    pub ov_offsets: Vec<(i64, f64)>,
    /// The post's triples; empty for other sizes of the task.
    pub triples: Vec<TripleAttribution>,
    /// Every close triple of the vocabulary; none where lists are too short.
    pub close_triples: Option<TripleStatistics>,
    /// The post's adversarial lists; empty for other sizes of the task.
    pub adversarial: Vec<Prediction>,
    /// What the model does over gaps.
    pub gaps: Vec<GapPoint>,
    /// What SEP does in front of each smallest value.
    pub smallest: Vec<SmallestPoint>,
    /// The lists that are looked at one by one; arrays go by their order.
    pub lists: Vec<ShownList>,
    /// The post's claims.
    pub findings: Vec<Finding>,
    /// How many models of other seeds the spread of findings includes.
    pub other_models: usize,
}

/// A study's arrays, by name; circuits are those of the first block.
pub type Arrays = BTreeMap<String, ArrayD<f32>>;

const SCHEMA: u32 = 2;
/// The seed of the random weights that findings are compared with.
const CONTROL_SEED: u64 = 0;
const STAGES: [&str; 6] =
    ["evaluation", "ablation", "circuits and attention", "random weights", "other seeds", "lists"];

/// Studies a sorting model: all of the post. `processing` names the steps that the weights went through before.
///
/// The observer hears of each part as it begins.
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
        let heard = observer.on(Stage { what, done, of: STAGES.len() });
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
    let of_model = |model: &Model| -> Result<Evidence> {
        check_task(&task.spec(), model.config())?;
        let subject = Subject { model, engine: subject.engine };
        let costs = ablations::mean_ablations(subject, evaluate(subject, &data)?.loss, &data)?;
        Evidence::gather(subject, task, &data, costs, amounts)
    };
    next()?;
    let control = of_model(&control(subject.model, processing)?)?;
    next()?;
    let of_others = others.iter().map(of_model).collect::<Result<Vec<_>>>()?;
    next()?;
    let (groups, lists) = lists::choose(subject, task, &data, yours, *seed)?;
    let shown = lists::shown(subject, &groups, &lists)?;
    let mut arrays = arrays_of(&evidence);
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
        triples: if task.spec() == TaskSpec::POST { triples(subject, task, &evidence.serving)? } else { Vec::new() },
        close_triples: evidence.triples.statistics(),
        adversarial: adversarial.map(|list| list.prediction.clone()).collect(),
        gaps: gap_points(&evidence.gaps),
        findings: findings(&evidence, &control, &of_others),
        smallest: evidence.smallest,
        attention: evidence.attention,
        serving: evidence.serving,
        lists: shown,
        other_models: others.len(),
    };
    Ok((results, arrays))
}

/// A model of the same shape with random weights, processed alike.
fn control(model: &Model, processing: &[Step]) -> Result<Model> {
    let random = Model::init(model.config().clone(), CONTROL_SEED)?;
    if processing.is_empty() {
        return Ok(random);
    }
    let Processed { model, .. } = random.process();
    Ok(model)
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

/// Circuits and triples as arrays.
fn arrays_of(evidence: &Evidence) -> Arrays {
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

/// The parts of the lists' arrays that have names of their own: `pattern_first_10 [list, head of the first block, query,
/// key]`, `probs_first_list [class, predicted position]`, and `probs_custom` of the post's adversarial lists.
fn first_lists(arrays: &mut Arrays, groups: &[Group], config: &Config) {
    let of_group = |group: Group| -> Vec<usize> { (0..groups.len()).filter(|list| groups[*list] == group).collect() };
    let random = of_group(Group::Random);
    let first = arrays["pattern"].select(Axis(0), &random);
    let first = first.slice_axis(Axis(1), Slice::from(..config.n_heads)).to_owned();
    let of_first = arrays["probs"].index_axis(Axis(0), random[0]).to_owned();
    let custom = arrays["probs"].select(Axis(0), &of_group(Group::PostAdversarial));
    for (name, array) in [("pattern_first_10", first), ("probs_first_list", of_first), ("probs_custom", custom)] {
        arrays.insert(name.into(), array);
    }
}
