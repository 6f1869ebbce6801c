//! Training.

use crate::{data::Dataset, error::raised, json, model::Model, task::Task, watch::Watch};
use algolens::{
    Error, HookedTransformer,
    engine::{Backend, Vectors},
    model,
    train::{DataSource, Event, Examples, Recipe, Run},
};
use pyo3::prelude::*;
use std::{ops::ControlFlow, sync::Arc};

/// What a training came to.
#[pyclass(frozen, get_all)]
pub struct Trained {
    /// The model of the epoch whose weights the recipe keeps.
    model: Py<Model>,
    /// The recipe, with all that it determines, as JSON.
    recipe: String,
    /// The epochs, as JSON.
    history: String,
    /// Weights on the way: after how many steps, and the model.
    checkpoints: Vec<(u64, Py<Model>)>,
    /// Whether the user interrupted it.
    interrupted: bool,
}

/// Data, which of its examples are learnt from and which are validated on, and what it is called.
type Given<'py> = (PyRef<'py, Dataset>, Vec<usize>, Vec<usize>, String);

/// Trains a model by a recipe, given as JSON: of a task, or of examples to learn from and to validate on.
///
/// `progress` is called with the steps that are done, of how many, and a line.
#[pyfunction]
#[pyo3(signature = (recipe, task=None, examples=None, progress=None))]
pub fn train(
    py: Python<'_>,
    recipe: &str,
    task: Option<&Task>,
    examples: Option<Given<'_>>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Trained> {
    let recipe: Recipe = json::parsed("recipe", recipe)?;
    let mut run = match (task, examples) {
        // It may list all inputs.
        (Some(task), None) => py.detach(|| Run::on_task(recipe, task.task().clone())),
        (None, Some((data, train, validation, name))) => {
            let source = DataSource { name, sha256: data.sha256() };
            Examples::new(source, data.data(), &train, &validation).and_then(|e| Run::on_examples(recipe, Arc::new(e)))
        }
        _ => Err(Error::invalid("what is learnt", "a task or examples", "neither, or both")),
    }
    .map_err(raised)?;
    let engine = Backend::best(run.model().config()).engine(Vectors::best());
    let mut watch = Watch::new(progress);
    let mut checkpoints: Vec<(u64, model::Model)> = Vec::new();
    let result = py.detach(|| {
        let (epochs, mut observer) = (run.recipe().epochs as u64, Vec::new());
        let result = run.train(&*engine, &mut |event: Event<'_>| {
            if let Event::Checkpoint { steps, model } = event {
                observer.push((steps, model.clone()));
            }
            tell(&mut watch, &event, epochs)
        });
        checkpoints = observer;
        result
    });
    if let Some(task) = task {
        task.raised(py)?;
    }
    let interrupted = watch.is_interrupted(py);
    // A run that is interrupted stands at its last finished epoch.
    watch.outcome(py, if interrupted { Ok(()) } else { result })?;
    let of = |model: model::Model| Py::new(py, Model::new(HookedTransformer::new(model), run.recipe().task.clone()));
    Ok(Trained {
        model: of(run.best())?,
        recipe: json::written("recipe", run.recipe())?,
        history: json::written("history", &run.history())?,
        checkpoints: checkpoints.into_iter().map(|(steps, model)| Ok((steps, of(model)?))).collect::<PyResult<_>>()?,
        interrupted: interrupted && !run.finished(),
    })
}

fn tell(watch: &mut Watch, event: &Event<'_>, epochs: u64) -> ControlFlow<()> {
    match event {
        Event::Step(step) => watch.tell(|| {
            let per_epoch = step.steps_per_epoch as u64;
            let (loss, accuracy) = (step.score.loss(), step.score.accuracy());
            let line = format!("epoch {} · loss {loss:.4} · accuracy {accuracy:.4}", step.epoch);
            (per_epoch * (step.epoch as u64 - 1) + step.step as u64, per_epoch * epochs, line)
        }),
        Event::Checkpoint { .. } | Event::Epoch(_) => ControlFlow::Continue(()),
    }
}

/// Which examples are learnt from, and which are held out: a tenth, drawn by a seed.
#[pyfunction]
pub fn hold_out(examples: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    Examples::hold_out(examples, seed)
}

/// The names of all fields of a recipe, but the options of its task.
#[pyfunction]
pub fn recipe_fields() -> Vec<String> {
    Recipe::field_names()
}
