//! The run of a study, stage by stage.

use super::{
    ablations::ablation_table,
    accuracies::Accuracies,
    arrays::{Arrays, CircuitMaps, example_arrays, first_examples, mean_pattern, table},
    attributions::mean_attribution,
    data::{SCHEMA, Study},
    examples,
    labels::Labels,
    material::Material,
    sections::{Names, sections},
};
use crate::{Case, Casebook, Subject, head_attention, support::check_study};
use algolens_core::{
    Error, Result,
    evaluation::evaluate,
    model::{Model, Named, processing::Step},
    observer::Observer,
    task::{Dataset, Token},
};
use ndarray::Array2;
use serde_json::Map;

/// The data and the models that a study is made on.
#[derive(Clone, Debug, PartialEq)]
pub struct StudyOptions {
    /// What the model is called: the file that its weights come from.
    pub title: String,
    /// Number of examples of the evaluation.
    pub size: usize,
    /// The dataset seed of the evaluation; resampled activations come from the data of the next one.
    pub seed: u32,
    /// Inputs to show besides the examples that a study chooses.
    pub inputs: Vec<Vec<Token>>,
    /// Models of the same task from other seeds, processed alike: the spread of findings.
    pub others: Vec<Model>,
}

impl Default for StudyOptions {
    /// The post's evaluation: 500 lists of seed 43.
    fn default() -> Self {
        Self { title: "model".into(), size: 500, seed: 43, inputs: Vec::new(), others: Vec::new() }
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

/// The names of the stages that every study has, in order; those of a casebook follow.
const STAGES: [&str; 4] = ["evaluation", "ablation", "circuits and attention", "examples"];
/// Number of examples that the effective QK map is averaged over: each pair of the post's tokens then stands in a few hundred
/// lists, so that rankings hold.
const EFFECTIVE_SIZE: usize = 5000;
/// Most tokens of these examples.
const EFFECTIVE_TOKENS: usize = 1 << 17;

/// The study of a model: every generic analysis, and what the task's casebook adds. `processing` names the processing that the
/// weights went through before. The observer hears of each stage as it begins.
///
/// # Errors
/// A model that does not fit the material, one of another seed that is the studied one, or [`Error::Cancelled`].
pub fn study(
    subject: Subject,
    material: Material,
    casebook: Option<&dyn Casebook>,
    options: &StudyOptions,
    processing: &[Step],
    observer: &mut dyn Observer<Stage>,
) -> Result<(Study, Arrays)> {
    let config = subject.model.config();
    material.check(config)?;
    check_study(config)?;
    let StudyOptions { title, size, seed, inputs, others } = options;
    others.iter().try_for_each(|other| check_other(subject.model, other))?;
    let mut next_stage = stages(casebook, observer);
    let data = material.sample(*size, *seed)?;
    let mut arrays = Arrays::new();
    next_stage()?;
    let evaluation = evaluate(subject.engine, subject.model, &data)?;
    next_stage()?;
    let ablation = ablation_table(subject, evaluation.loss, &data, &material.other(&data, *seed)?)?;
    let costs = ablation.rows().into_iter().map(|(_, costs)| [costs.mean, costs.zero, costs.resample]);
    arrays.insert("ablation".into(), table(&costs.collect::<Vec<_>>()));
    next_stage()?;
    let labels = material.labels(config, &data);
    let names = look_inside(subject, material, &data, *seed, &labels, &mut arrays)?;
    next_stage()?;
    let book_examples = casebook.map_or_else(Vec::new, |book| book.examples());
    let chosen = examples::choose(subject, material, &data, inputs, book_examples, *seed)?;
    let shown = examples::shown(subject, material, &chosen)?;
    example_arrays(subject, &chosen.data, &mut arrays)?;
    let group_of: Vec<&str> = shown.iter().map(|example| example.group.as_str()).collect();
    first_examples(&mut arrays, &group_of, config);
    let mut study = Study {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        title: title.clone(),
        engine: subject.engine.name().into(),
        seed: material.spec().map(|_| *seed),
        task: material.spec(),
        task_assumed: false,
        config: config.clone(),
        parameters: subject.model.params.layout().len(),
        processing: processing.to_vec(),
        labels,
        positions: data.positions().to_vec(),
        evaluation,
        ablation,
        groups: chosen.groups,
        examples: shown,
        findings: Vec::new(),
        other_models: others.len(),
        measures: Map::new(),
        sections: Vec::new(),
    };
    study.sections = sections(&study, &arrays, &names);
    if let Some(book) = casebook {
        let mut case = Case { subject, data: &data, seed: *seed, processing, others, next_stage: &mut next_stage };
        book.write(&mut case, &mut study, &mut arrays)?;
    }
    study.check(&arrays)?;
    Ok((study, arrays))
}

/// Says at each call that the next stage begins.
fn stages(casebook: Option<&dyn Casebook>, observer: &mut dyn Observer<Stage>) -> impl FnMut() -> Result<()> {
    let of_book = casebook.map_or(&[][..], |book| book.stages());
    let all: Vec<&'static str> = STAGES.iter().chain(of_book).copied().collect();
    let total = all.len();
    let mut stages = all.into_iter().enumerate();
    move || {
        let Some((done, what)) = stages.next() else { return Ok(()) };
        if observer.on(Stage { what, done, total }).is_break() { Err(Error::Cancelled) } else { Ok(()) }
    }
}

/// Circuits, attention and attribution: adds their arrays, and says what only the sections show.
fn look_inside(
    subject: Subject,
    material: Material,
    data: &Dataset,
    seed: u32,
    labels: &Labels,
    arrays: &mut Arrays,
) -> Result<Names> {
    let config = subject.model.config();
    let mapped = material.sample(EFFECTIVE_SIZE.min(EFFECTIVE_TOKENS / config.n_ctx).max(1), seed)?;
    arrays.extend(CircuitMaps::of(subject, &mapped)?.arrays());
    arrays.insert("pattern_mean".into(), mean_pattern(subject, data)?.into_dyn());
    let (components, classes) = measured(subject, data, arrays)?;
    let heads = (0..config.n_layers).map(|layer| head_attention(subject, layer, data));
    Ok(Names {
        heads: heads.collect::<Result<Vec<_>>>()?.concat(),
        classes: classes.iter().map(|class| labels.classes[*class as usize].clone()).collect(),
        components,
    })
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

/// Adds the arrays `accuracy_by_position`, `accuracy_by_class` and `attribution`; the components of the last, and the classes of
/// the one before.
fn measured(subject: Subject, data: &Dataset, arrays: &mut Arrays) -> Result<(Vec<String>, Vec<Token>)> {
    let Accuracies { by_position, by_class } = Accuracies::of(subject, data)?;
    let positions: Vec<[f64; 2]> = by_position.iter().map(|(position, share)| [*position as f64, *share]).collect();
    arrays.insert("accuracy_by_position".into(), table(&positions));
    let classes: Vec<[f64; 1]> = by_class.iter().map(|(_, share)| [*share]).collect();
    arrays.insert("accuracy_by_class".into(), table(&classes));
    let attribution = mean_attribution(subject, data)?;
    let logits = Array2::from_shape_fn((attribution.len(), 1), |(at, _)| attribution[at].1 as f32);
    arrays.insert("attribution".into(), logits.into_dyn());
    let components = attribution.into_iter().map(|(name, _)| name).collect();
    Ok((components, by_class.into_iter().map(|(class, _)| class).collect()))
}
