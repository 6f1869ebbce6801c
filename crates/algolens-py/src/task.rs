//! Tasks: ours by name, and those that a user writes in Python.

mod own;

use crate::{data::Dataset, error::raised, json, model::Model};
use algolens::{
    random,
    task::{self, Registry, TaskSpec, Token},
    train::Recipe,
};
use numpy::PyReadonlyArray2;
use own::Own;
use pyo3::prelude::*;
use serde_json::{Map, Value};
use std::sync::Arc;

/// A task.
#[pyclass(frozen)]
pub struct Task {
    task: Arc<dyn task::Task>,
    /// Where it is Python's.
    own: Option<Arc<Own>>,
}

impl Task {
    fn ours(task: Arc<dyn task::Task>) -> Self {
        Self { task, own: None }
    }

    /// The task itself.
    pub fn task(&self) -> &Arc<dyn task::Task> {
        &self.task
    }

    /// Runs work on the task, without the interpreter's lock. What a user's task has raised goes before what came of it.
    pub fn run<R: Send>(&self, py: Python<'_>, work: impl FnOnce() -> algolens::Result<R> + Send) -> PyResult<R> {
        let result = py.detach(work);
        self.raised(py)?;
        result.map_err(raised)
    }

    /// Whether a user's task has raised something.
    pub fn has_raised(&self) -> bool {
        self.own.as_ref().is_some_and(|own| own.has_raised())
    }

    /// What a user's task has raised since this was asked last.
    pub fn raised(&self, py: Python<'_>) -> PyResult<()> {
        self.own.as_ref().map_or(Ok(()), |own| own.raised(py))
    }
}

#[pymethods]
impl Task {
    /// The names of the kinds of tasks that there are, what each is, and its options with their defaults, as JSON.
    #[staticmethod]
    fn kinds() -> PyResult<String> {
        json::written("tasks", &Registry::default().defaults().collect::<Vec<_>>())
    }

    /// The task of a name and options, as JSON.
    #[staticmethod]
    fn of(name: &str, options: &str) -> PyResult<Self> {
        let options: Map<String, Value> = json::parsed("options", options)?;
        Ok(Self::ours(Registry::default().task(&TaskSpec { name: name.into(), options }).map_err(raised)?))
    }

    /// The task of a text: its name and options, `sorted_list(list_len=5)`.
    #[staticmethod]
    fn parsed(text: &str) -> PyResult<Self> {
        let spec = text.parse().map_err(raised)?;
        Ok(Self::ours(Registry::default().task(&spec).map_err(raised)?))
    }

    /// The task that an object of Python is.
    #[staticmethod]
    fn own(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let own = Arc::new(Own::new(object)?);
        Ok(Self { task: own.clone(), own: Some(own) })
    }

    /// The task of a model: what it was trained on, or the only one that fits; and whether it is assumed.
    #[staticmethod]
    fn of_model(model: &Model) -> PyResult<(Self, bool)> {
        let found = Registry::default().task_of(model.handle().config(), model.spec()).map_err(raised)?;
        Ok((Self::ours(found.task), found.assumed))
    }

    /// The task as text, with its options.
    #[getter]
    fn spec(&self) -> String {
        self.task.spec().to_string()
    }

    /// The task's options by name, as JSON.
    #[getter]
    fn options(&self) -> PyResult<String> {
        json::written("options", &self.task.spec().options)
    }

    /// Tokens of an example.
    #[getter]
    fn n_ctx(&self) -> usize {
        self.task.n_ctx()
    }

    /// What each token is called.
    #[getter]
    fn token_labels(&self) -> Vec<String> {
        self.task.token_labels()
    }

    /// What each class is called.
    #[getter]
    fn output_labels(&self) -> Vec<String> {
        self.task.output_labels()
    }

    /// The positions whose logits are judged.
    #[getter]
    fn predicted_positions(&self) -> Vec<usize> {
        self.task.predicted_positions()
    }

    /// How many inputs there are, where they can be counted.
    #[getter]
    fn input_count(&self) -> Option<u128> {
        self.task.inputs().map(|inputs| inputs.count())
    }

    /// The recipe that trains a model of the task, as JSON: ours, or for a user's task the default.
    #[getter]
    fn recipe(&self) -> PyResult<String> {
        let recipe = match self.own {
            Some(_) => Recipe { task: Some(self.task.spec()), ..Recipe::default() },
            None => Registry::default().recipe(&self.task.spec()).map_err(raised)?,
        };
        json::written("recipe", &recipe)
    }

    /// Random examples.
    fn generate(&self, py: Python<'_>, size: usize, seed: u32) -> PyResult<Dataset> {
        let task = &*self.task;
        let generate = || task::Dataset::generate(task, size, &mut random::from_dataset_seed(seed));
        Ok(Dataset::new(self.run(py, generate)?))
    }

    /// The examples that inputs lead to.
    fn completed(&self, py: Python<'_>, inputs: Vec<Vec<Token>>) -> PyResult<Dataset> {
        Ok(Dataset::new(self.run(py, || task::Dataset::from_inputs(&*self.task, &inputs))?))
    }

    /// Whole examples of the task.
    fn examples(&self, py: Python<'_>, tokens: PyReadonlyArray2<'_, Token>) -> PyResult<Dataset> {
        let tokens = tokens.as_array().to_owned();
        Ok(Dataset::new(self.run(py, || task::Dataset::from_examples(&*self.task, tokens))?))
    }
}
