//! The run of a study, stage by stage.

use super::{
    ablations::ablation_table,
    accuracies::Accuracies,
    arrays::{Arrays, CircuitMaps, example_arrays, first_examples, mean_pattern, table},
    attributions::mean_attribution,
    copied::copied,
    data::{SCHEMA, Study},
    examples,
    known::known,
    labels::Labels,
    material::Material,
    sections::{Names, families, sections},
    vocabulary::{self, MOST_SHOWN},
};
use crate::{Case, Casebook, FamilyScores, Shown, Subject, family_scores, head_attention, support::check_study};
use algolens_core::{
    Error, Result,
    evaluation::evaluate,
    model::{Config, Model, Named, processing::Step},
    observer::Observer,
    provenance::Provenance,
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
    /// The tokens and classes to show where the vocabulary is drawn; of either, none: all where a figure has room for them
    /// (512), else those of the shown examples.
    pub asked: Shown,
    /// Bounds of the share of all inputs that the model gets right, where they are proved.
    pub proved: Option<[f64; 2]>,
    /// Where the study comes from, if that is said.
    pub provenance: Option<Provenance>,
}

impl Default for StudyOptions {
    /// The post's evaluation: 500 lists of seed 43.
    fn default() -> Self {
        Self {
            title: "model".into(),
            size: 500,
            seed: 43,
            inputs: Vec::new(),
            others: Vec::new(),
            asked: Shown::default(),
            proved: None,
            provenance: None,
        }
    }
}

impl StudyOptions {
    /// Checks the tokens and classes that are asked for.
    ///
    /// # Errors
    /// One that the model does not have, or is asked for twice; too many.
    pub fn check(&self, config: &Config) -> Result<()> {
        self.asked.check(config)?;
        for (what, asked) in [("tokens to show", &self.asked.tokens), ("classes to show", &self.asked.classes)] {
            if asked.len() > MOST_SHOWN {
                return Err(Error::invalid(what, format!("at most {MOST_SHOWN}"), asked.len()));
            }
        }
        Ok(())
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
const STAGES: [&str; 5] = ["evaluation", "families of inputs", "ablation", "examples", "circuits and attention"];
/// Number of random inputs of each member of a family.
const FAMILY_SIZE: usize = 200;
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
    casebook.map_or(Ok(()), |book| book.check(config))?;
    options.check(config)?;
    let StudyOptions { title, size, seed, inputs, others, asked, proved, provenance } = options;
    others.iter().try_for_each(|other| check_other(subject.model, other))?;
    let mut next_stage = stages(casebook, observer);
    let data = material.sample(*size, *seed)?;
    let mut arrays = Arrays::new();
    next_stage()?;
    let evaluation = evaluate(subject.engine, subject.model, &data)?;
    let known = known(subject, material, &data, *proved)?;
    next_stage()?;
    let families = match material {
        Material::Task(task) => family_scores(subject, task, FAMILY_SIZE, *seed)?,
        Material::Data(_) => Vec::new(),
    };
    next_stage()?;
    let ablation = ablation_table(subject, evaluation.loss, &data, &material.other(&data, *seed)?)?;
    let costs = ablation.rows().into_iter().map(|(_, costs)| [costs.mean, costs.zero, costs.resample]);
    arrays.insert("ablation".into(), table(&costs.collect::<Vec<_>>()));
    next_stage()?;
    let labels = material.labels_with_separators(config, &data);
    let book_examples = casebook.map_or_else(Vec::new, |book| book.examples());
    let chosen = examples::choose(subject, material, &data, inputs, book_examples, *seed)?;
    let examples = examples::shown(subject, material, &chosen)?;
    let shown = vocabulary::choose(asked, config, &labels, &examples);
    example_arrays(subject, &chosen.data, &shown, &mut arrays)?;
    let group_of: Vec<&str> = examples.iter().map(|example| example.group.as_str()).collect();
    first_examples(&mut arrays, &group_of, config);
    next_stage()?;
    let inside = Inside { subject, data: &data, labels: &labels, shown: &shown };
    let names = inside.look(&material.sample(effective_size(config), *seed)?, &mut arrays)?;
    let mut study = Study {
        schema: SCHEMA,
        version: env!("CARGO_PKG_VERSION").into(),
        title: title.clone(),
        engine: subject.engine.name().into(),
        seed: material.spec().map(|_| *seed),
        provenance: provenance.clone(),
        task: material.spec(),
        task_assumed: false,
        config: config.clone(),
        parameters: subject.model.params.layout().len(),
        processing: processing.to_vec(),
        labels,
        shown,
        positions: data.positions().to_vec(),
        evaluation,
        known: Some(known),
        ablation,
        groups: chosen.groups,
        examples,
        findings: Vec::new(),
        other_models: others.len(),
        measures: Map::new(),
        sections: Vec::new(),
    };
    study.sections = sections(&study, &arrays, &names);
    add_families(families, &mut study, &mut arrays)?;
    if let Some(book) = casebook {
        let mut case = Case { subject, data: &data, seed: *seed, processing, others, next_stage: &mut next_stage };
        book.write(&mut case, &mut study, &mut arrays)?;
    }
    study.check(&arrays)?;
    Ok((study, arrays))
}

/// Adds how the model does on families of inputs, if the task has any: the measure `families`, and a section with its arrays
/// behind that of predictions.
fn add_families(scores: Vec<FamilyScores>, study: &mut Study, arrays: &mut Arrays) -> Result<()> {
    let Some(section) = families::section(&scores, study, arrays) else { return Ok(()) };
    let json = serde_json::to_value(scores);
    let json = json.map_err(|error| Error::invalid("scores of families", "numbers that JSON can hold", error))?;
    study.measures.insert("families".into(), json);
    let after = study.sections.iter().position(|section| section.id == "predictions").map_or(0, |at| at + 1);
    study.sections.insert(after, section);
    Ok(())
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

/// Number of examples that the effective QK map of a model is averaged over.
fn effective_size(config: &Config) -> usize {
    EFFECTIVE_SIZE.min(EFFECTIVE_TOKENS / config.n_ctx).max(1)
}

/// What circuits, attention and attribution are measured on.
struct Inside<'a> {
    subject: Subject<'a>,
    data: &'a Dataset,
    labels: &'a Labels,
    shown: &'a Shown,
}

impl Inside<'_> {
    /// Adds the arrays of circuits (their effective map over `mapped`), attention and attribution, and says what only the
    /// sections show.
    fn look(&self, mapped: &Dataset, arrays: &mut Arrays) -> Result<Names> {
        let Self { subject, data, labels, shown } = *self;
        arrays.extend(CircuitMaps::of(subject, mapped, shown)?.arrays());
        arrays.insert("pattern_mean".into(), mean_pattern(subject, data)?.into_dyn());
        let (components, classes) = self.measured(arrays)?;
        let heads = (0..subject.model.config().n_layers).map(|layer| head_attention(subject, layer, data));
        Ok(Names {
            heads: heads.collect::<Result<Vec<_>>>()?.concat(),
            classes: classes.iter().map(|class| labels.classes[*class as usize].clone()).collect(),
            components,
            copied: copied(subject.model, shown)?,
        })
    }

    /// Adds the arrays `accuracy_by_position`, `accuracy_by_class` (of the shown classes) and `attribution`; the components of
    /// the last, and the classes of the one before.
    fn measured(&self, arrays: &mut Arrays) -> Result<(Vec<String>, Vec<Token>)> {
        let Accuracies { by_position, mut by_class } = Accuracies::of(self.subject, self.data)?;
        by_class.retain(|(class, _)| self.shown.place_of_class(*class).is_some());
        let positions: Vec<[f64; 2]> = by_position.iter().map(|(position, share)| [*position as f64, *share]).collect();
        arrays.insert("accuracy_by_position".into(), table(&positions));
        let classes: Vec<[f64; 1]> = by_class.iter().map(|(_, share)| [*share]).collect();
        arrays.insert("accuracy_by_class".into(), table(&classes));
        let attribution = mean_attribution(self.subject, self.data)?;
        let logits = Array2::from_shape_fn((attribution.len(), 1), |(at, _)| attribution[at].1 as f32);
        arrays.insert("attribution".into(), logits.into_dyn());
        let components = attribution.into_iter().map(|(name, _)| name).collect();
        Ok((components, by_class.into_iter().map(|(class, _)| class).collect()))
    }
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
