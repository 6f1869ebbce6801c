//! The run of a study, stage by stage.

use super::{
    ablations::{ablation_table, mean_ablations},
    arrays::{Arrays, evidence_arrays, first_lists, list_arrays},
    lists::{self, Group},
    results::{SCHEMA, StudyResults},
};
use crate::{
    Subject, greedy,
    tasks::sorted_list::{
        CopyHeads, Evidence, EvidenceOptions, POST_TRIPLES, Triple, TripleAttribution, findings, gap_points,
        triple_attribution,
    },
};
use algolens_core::{
    Error, Result,
    evaluation::evaluate,
    model::{
        AttentionDir, Model,
        processing::{Processed, Step},
    },
    observer::Observer,
    parallel,
    task::{Dataset, SortedList, Task, Token, check_task},
};

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

/// The seed of the control's random weights.
const CONTROL_SEED: u64 = 0;
/// The names of the stages, in order.
const STAGES: [&str; 5] =
    ["evaluation", "ablation", "circuits and attention, beside random weights", "other seeds", "lists"];

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
    check_task(task, config)?;
    let mut stages = STAGES.iter().enumerate();
    let mut next = || -> Result<()> {
        let Some((done, what)) = stages.next() else { return Ok(()) };
        let heard = observer.on(Stage { what, done, total: STAGES.len() });
        if heard.is_break() { Err(Error::Cancelled) } else { Ok(()) }
    };
    let StudyOptions { size, seed, lists: yours, others } = options;
    let data = task.dataset(*size, *seed);
    next()?;
    let evaluation = evaluate(subject.engine, subject.model, &data)?;
    let greedy_list_accuracy = greedy_list_accuracy(subject, task, &data)?;
    next()?;
    let other = task.dataset(*size, seed.wrapping_add(1));
    let ablation = ablation_table(subject, evaluation.loss, &data, &other)?;
    next()?;
    let amounts = EvidenceOptions::new(task, *seed);
    let evidence_of_model = |model: &Model| -> Result<Evidence> {
        check_task(task, model.config())?;
        let subject = Subject { model, engine: subject.engine };
        let costs = mean_ablations(subject, evaluate(subject.engine, subject.model, &data)?.loss, &data)?;
        Evidence::gather(subject, task, &data, costs, amounts)
    };
    let (evidence, control) = parallel::join(
        || Evidence::gather(subject, task, &data, ablation.mean.clone(), amounts),
        || evidence_of_model(&control(subject.model, processing)?),
    );
    let (evidence, control) = (evidence?, control?);
    next()?;
    let others_evidence = others.iter().map(evidence_of_model).collect::<Result<Vec<_>>>()?;
    next()?;
    let (groups, lists) = lists::choose(subject, task, &data, yours, *seed)?;
    let shown = lists::shown(subject, &groups, &lists)?;
    let mut arrays = evidence_arrays(&evidence);
    list_arrays(subject, &lists, &mut arrays)?;
    first_lists(&mut arrays, &groups, config);
    let adversarial = shown.iter().filter(|list| list.group == Group::PostAdversarial);
    let results = StudyResults {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        engine: subject.engine.name().into(),
        seed: *seed,
        task: task.spec(),
        task_assumed: false,
        config: config.clone(),
        parameters: subject.model.params.layout().len(),
        processing: processing.to_vec(),
        evaluation,
        greedy_list_accuracy,
        ablation,
        ov_offsets: evidence.ov_offsets(),
        triples: if *task == SortedList::POST { triples(subject, task, &evidence.copy_heads)? } else { Vec::new() },
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
    let sorted = written.outer_iter().zip(data.classes()?.outer_iter()).filter(|(a, b)| a == b).count();
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
