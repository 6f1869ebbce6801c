//! A training run as bytes: what `--resume` goes on from.
//!
//! Safetensors with four vectors of f32 in the layout's order (`weights`, `adam_m`, `adam_v`, `best`) and one metadata
//! key with the recipe and the history as JSON. The bytes are a function of the run alone.

use super::{Adam, EpochRecord, Examples, Recipe, Run, history, run::Learnt};
use crate::{
    Error, Result, header,
    model::{Model, ParamLayout, Params},
    task::{Registry, Task},
};
use safetensors::{Dtype, SafeTensorError, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, sync::Arc};

/// The metadata key.
const KEY: &str = "algolens_training";
const FORMAT: u32 = 1;
const WEIGHTS: &str = "weights";
const ADAM_M: &str = "adam_m";
const ADAM_V: &str = "adam_v";
const BEST: &str = "best";

/// What the metadata key holds, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    recipe: Recipe,
    history: Vec<EpochRecord>,
}

impl Run {
    /// The run as bytes.
    ///
    /// # Errors
    /// Never for models that fit in memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header { format: FORMAT, recipe: self.recipe.clone(), history: self.history.clone() };
        let header = serde_json::to_string(&header).map_err(|error| unreadable(&error))?;
        let vectors = [
            (WEIGHTS, self.model.params.values()),
            (ADAM_M, self.adam.m()),
            (ADAM_V, self.adam.v()),
            (BEST, self.best.values()),
        ]
        .map(|(name, values)| (name, values.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>()));
        let tensors = vectors
            .iter()
            .map(|(name, bytes)| Ok((*name, TensorView::new(Dtype::F32, vec![bytes.len() / size_of::<f32>()], bytes)?)))
            .collect::<Result<Vec<_>, SafeTensorError>>();
        tensors
            .and_then(|tensors| safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), header)]))))
            .map_err(|error| unreadable(&error))
    }

    /// The run that [`to_bytes`](Self::to_bytes) wrote. The registry knows its task.
    ///
    /// # Errors
    /// One line that says what is wrong with bytes that no run wrote; a task that the registry does not know, or a run on the
    /// examples of a file.
    pub fn from_bytes(bytes: &[u8], registry: &Registry) -> Result<Self> {
        Self::read(bytes, |recipe| Ok(Learnt::Task(registry.task(recipe.task_spec()?)?)))
    }

    /// The run on this task that [`to_bytes`](Self::to_bytes) wrote; no registry need know it.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes); a run that began with another task.
    pub fn from_bytes_of_task(bytes: &[u8], task: Arc<dyn Task>) -> Result<Self> {
        Self::read(bytes, |recipe| match recipe.task_spec()? {
            began if *began == task.spec() => Ok(Learnt::Task(task)),
            began => Err(Error::invalid("task", format!("{began}, as the run began with"), task.spec())),
        })
    }

    /// The run on these examples of a file that [`to_bytes`](Self::to_bytes) wrote.
    ///
    /// # Errors
    /// As [`from_bytes`](Self::from_bytes); a run that began with another file, or a task.
    pub fn from_bytes_on(bytes: &[u8], examples: Arc<Examples>) -> Result<Self> {
        Self::read(bytes, |recipe| {
            if recipe.data.as_ref() == Some(examples.source()) {
                return Ok(Learnt::Examples(examples));
            }
            let began = match (&recipe.data, &recipe.task) {
                (Some(data), _) => data.to_string(),
                (None, Some(task)) => format!("the task {task}"),
                (None, None) => "none".into(),
            };
            Err(Error::invalid("data", format!("{began}, as the run began with"), examples.source()))
        })
    }

    fn read(bytes: &[u8], learnt: impl FnOnce(&Recipe) -> Result<Learnt>) -> Result<Self> {
        let header = header::find(bytes, KEY).map_err(|error| unreadable(&error))?;
        let header = header.ok_or_else(|| unreadable(&"it has no metadata of a training run"))?;
        let Header { recipe, history, .. } =
            header::read(&header, FORMAT, "training state", |error| unreadable(&error))?;
        let learnt = learnt(&recipe)?;
        let config = learnt.config(&recipe);
        recipe.validate(&config)?;
        history::check(&recipe, &history)?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| unreadable(&error))?;
        if let Some(name) = file.names().into_iter().find(|name| ![WEIGHTS, ADAM_M, ADAM_V, BEST].contains(name)) {
            return Err(Error::invalid("training state", "four vectors", format!("`{name}`")));
        }
        let parameters = ParamLayout::of(&config).len();
        let weights = vector(&file, WEIGHTS, parameters, f32::is_finite)?;
        let best = vector(&file, BEST, parameters, f32::is_finite)?;
        let m = vector(&file, ADAM_M, parameters, f32::is_finite)?;
        // A square may overflow; the step is then 0.
        let v = vector(&file, ADAM_V, parameters, |x| x >= 0.0)?;
        let mut model = Model::zeros(config)?;
        model.params.values_mut().copy_from_slice(&weights);
        let mut kept = Params::like(model.params.layout().clone());
        kept.values_mut().copy_from_slice(&best);
        let adam = Adam::resume(&recipe, history::steps(&recipe, history.len()), m, v);
        Ok(Self { recipe, learnt, model, adam, best: kept, history })
    }
}

fn unreadable(why: &dyn std::fmt::Display) -> Error {
    Error::invalid("training state", "the whole of what a training run wrote", why)
}

/// The numbers of a vector that must be there.
fn vector(file: &SafeTensors, name: &str, len: usize, valid: impl Fn(f32) -> bool) -> Result<Vec<f32>> {
    let what = || format!("`{name}` of the training state");
    let tensor = file.tensor(name).map_err(|_| Error::invalid(what(), "a vector", "none"))?;
    if tensor.dtype() != Dtype::F32 || tensor.shape() != [len] {
        let found = format!("{:?} {:?}", tensor.dtype(), tensor.shape());
        return Err(Error::invalid(what(), format!("F32 [{len}]"), found));
    }
    let values: Vec<f32> = tensor.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    match values.iter().position(|value| !valid(*value)) {
        None => Ok(values),
        Some(at) => Err(Error::invalid(what(), "finite numbers", format!("{} at element {at}", values[at]))),
    }
}
