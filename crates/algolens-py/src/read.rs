//! Checkpoints of any kind.

use crate::{error::raised, json, model::Model};
use algolens::{
    Error, HookedTransformer,
    model::checkpoint::{Checkpoint, Hints, Layout, Note, Settings},
    task::{Registry, TaskSpec},
};
use pyo3::prelude::*;
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What was found in a checkpoint's file.
#[pyclass(frozen, get_all)]
pub struct Found {
    /// The model.
    model: Py<Model>,
    /// What of the config was assumed, as one line.
    assumed: Option<String>,
    /// The config file that was read with it.
    beside: Option<PathBuf>,
}

/// The model in a file, by what the user says of it: parts of its config as JSON, its task, where in the file it is, what is no
/// weight, and how the file names its tensors.
#[pyfunction]
#[pyo3(signature = (path, parts, task=None, key=None, ignore=Vec::new(), layout=None))]
pub fn read_checkpoint(
    py: Python<'_>,
    path: PathBuf,
    parts: &str,
    task: Option<&str>,
    key: Option<String>,
    ignore: Vec<String>,
    layout: Option<&str>,
) -> PyResult<Found> {
    let parts: Map<String, Value> = json::parsed("hints", parts)?;
    let said = Settings::of_parts(&parts).map_err(raised)?;
    let task: Option<TaskSpec> = task.map(str::parse).transpose().map_err(raised)?;
    let layout = layout.map(Layout::named).transpose().map_err(raised)?;
    let hints = Hints { said, key, ignore, layout, ..Hints::default() };
    let read = || -> algolens::Result<_> {
        let (hints, beside) = hints.for_file(&path, &Registry::default(), task.as_ref())?;
        let loaded = Checkpoint::open(&path, &hints)?;
        let task = task.or(loaded.checkpoint.task.clone());
        check_known(task.as_ref(), &loaded.checkpoint.model)?;
        Ok((loaded, task, beside))
    };
    let (loaded, task, beside) = py.detach(read).map_err(raised)?;
    let model = Model::new(HookedTransformer::new(loaded.checkpoint.model), task);
    Ok(Found { model: Py::new(py, model)?, assumed: Note::assumed(&loaded.notes), beside })
}

/// A task that is known is one that the model can do. A file may name one that this program does not know.
fn check_known(task: Option<&TaskSpec>, model: &algolens::model::Model) -> Result<(), Error> {
    let registry = Registry::default();
    match task {
        Some(spec) if registry.names().any(|name| name == spec.name) => {
            registry.task_of(model.config(), Some(spec)).map(drop)
        }
        _ => Ok(()),
    }
}
