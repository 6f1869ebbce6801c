//! The run of a study, stage by stage.

use super::{
    ablations::ablation_table,
    arrays::{Arrays, evidence_arrays, first_lists, list_arrays},
    lists::{self, Group},
    results::{SCHEMA, StudyResults},
};
use crate::{
    Subject, effective_qk, greedy,
    tasks::sorted_list::{
        CopyHeads, Gathered, POST_TRIPLES, Triple, TripleAttribution, gap_points, smallest_points, triple_attribution,
    },
};
use algolens_core::{
    Error, Result,
    evaluation::evaluate,
    model::{AttentionDir, Model, Named, processing::Step},
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

/// Number of lists that the effective QK map is averaged over: each pair of the post's tokens then stands in a few hundred, so
/// that rankings hold.
const EFFECTIVE_LISTS: usize = 5000;
/// The names of the stages, in order.
const STAGES: [&str; 4] = ["evaluation", "ablation", "circuits and attention, beside controls", "lists"];

/// The study of a sorting model: every analysis of the post. `processing` names the processing that the weights went through
/// before. The observer hears of each stage as it begins.
///
/// # Errors
/// A model that is not of the task, one of another seed that is the studied one, or [`Error::Cancelled`].
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
    others.iter().try_for_each(|other| check_other(subject.model, other))?;
    let data = task.dataset(*size, *seed);
    next()?;
    let evaluation = evaluate(subject.engine, subject.model, &data)?;
    let greedy_list_accuracy = greedy_list_accuracy(subject, task, &data)?;
    next()?;
    let other = task.dataset(*size, seed.wrapping_add(1));
    let ablation = ablation_table(subject, evaluation.loss, &data, &other)?;
    next()?;
    let (gathered, effective) = parallel::join(
        || Gathered::of(subject, task, &data, processing, others, *seed),
        || effective_qk(subject, &task.dataset(EFFECTIVE_LISTS, *seed)),
    );
    let (gathered, effective) = (gathered?, effective?);
    let evidence = &gathered.evidence;
    next()?;
    let (groups, lists) = lists::choose(subject, task, &data, yours, *seed)?;
    let shown = lists::shown(subject, &groups, &lists)?;
    let mut arrays = evidence_arrays(evidence, &effective);
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
        findings: gathered.findings(evaluation.token_accuracy),
        smallest: smallest_points(&evidence.smallest),
        attention: evidence.attention(),
        copy_heads: evidence.copy_heads.clone(),
        lists: shown,
        other_models: others.len(),
    };
    Ok((results, arrays))
}

/// Checks that a model of another seed is not the studied one itself, which would tell nothing of other seeds: that some weight
/// differs by more than rounding does, a thousandth of the largest of its tensor.
///
/// # Errors
/// A model with the same weights.
pub fn check_other(studied: &Model, other: &Model) -> Result<()> {
    const ROUNDING: f32 = 1e-3;
    let same_tensor = |named: &Named| {
        let [a, b] = [studied, other].map(|model| &model.params.values()[named.range()]);
        let largest = a.iter().fold(0.0_f32, |largest, weight| largest.max(weight.abs()));
        a.iter().zip(b).all(|(a, b)| (a - b).abs() <= ROUNDING * largest)
    };
    if studied.config() == other.config() && studied.params.layout().names().iter().all(same_tensor) {
        return Err(Error::invalid(
            "model of another seed",
            "other weights",
            "those of the studied model, up to rounding",
        ));
    }
    Ok(())
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
