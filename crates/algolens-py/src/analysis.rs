//! Analyses of a model on data.

use crate::{data::Dataset, error::raised, json, model::Model, task::Task, watch::Watch};
use algolens::{
    Error,
    engine::Plain,
    interpret::{
        Ablation, Attribution, Circuits, Shown, Subject, ablate as ablated, attribution, circuits as full_circuits,
        direct_path,
        enumerate::{Enumeration, Walk},
        source_attribution,
    },
};
use numpy::{IntoPyArray, PyArray4, PyArray5};
use pyo3::{prelude::*, types::PyDict};
use std::time::{Duration, Instant};

/// Loss, probabilities and accuracy on data, as JSON; on the model's fastest backend.
#[pyfunction]
pub fn evaluate(py: Python<'_>, model: &Model, data: &Dataset) -> PyResult<String> {
    let evaluation = py.detach(|| model.handle().evaluate(data.data())).map_err(raised)?;
    json::written("evaluation", &evaluation)
}

/// What a model answers on the inputs of a task with these numbers, or on all, counted, as JSON. Of wrong predictions so many are
/// listed; margins below `slack` are looked at again in double precision.
#[pyfunction]
#[pyo3(signature = (model, task, limit=10, slack=None, numbers=None, progress=None))]
pub fn evaluate_all(
    py: Python<'_>,
    model: &Model,
    task: &Task,
    limit: usize,
    slack: Option<f64>,
    numbers: Option<[u64; 2]>,
    progress: Option<Py<PyAny>>,
) -> PyResult<String> {
    let mut watch = Watch::new(progress);
    let result = py.detach(|| -> algolens::Result<Enumeration> {
        let walk = Walk::new(subject(model), &**task.task(), slack.unwrap_or(Walk::SLACK), limit)?;
        let [from, end] = numbers.unwrap_or([0, walk.count()]);
        let mut run = walk.begin(from);
        let mut step = Walk::BLOCK;
        while run.to() < end {
            let begun = Instant::now();
            let to = end.min(run.to().saturating_add(step));
            walk.go_on(&mut run, to)?;
            // Steps between which a user need not wait.
            step = if begun.elapsed() < Duration::from_millis(100) { step.saturating_mul(2) } else { step };
            let line = || format!("{} wrong inputs", run.inputs - run.right);
            if watch.tell(|| (run.to() - from, end - from, line())).is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(run)
    });
    task.raised(py)?;
    json::written("counts", &watch.outcome(py, result)?)
}

/// How many inputs of a task are run where all are counted.
#[pyfunction]
#[pyo3(signature = (model, task, slack=None))]
pub fn inputs_to_run(py: Python<'_>, model: &Model, task: &Task, slack: Option<f64>) -> PyResult<u64> {
    task.run(py, || Ok(Walk::new(subject(model), &**task.task(), slack.unwrap_or(Walk::SLACK), 0)?.count()))
}

/// The counts that runs of neighbouring inputs, each as JSON, come to.
#[pyfunction]
pub fn join_counts(parts: Vec<String>) -> PyResult<String> {
    let part = |text: &String| -> PyResult<Enumeration> {
        let mut part: Enumeration = json::parsed("part", text)?;
        part.check().map_err(raised)?;
        Ok(part)
    };
    let mut parts = parts.iter().map(part);
    let none = || raised(Error::invalid("parts", "at least one", 0));
    let mut joined = parts.next().ok_or_else(none)??;
    for part in parts {
        joined.join(part?).map_err(raised)?;
    }
    json::written("counts", &joined)
}

/// The model with parts ablated, as JSON: `ablation` is one, as JSON; means are taken over `data`, and parts are resampled from
/// `other`.
#[pyfunction]
pub fn ablate(py: Python<'_>, model: &Model, ablation: &str, data: &Dataset, other: &Dataset) -> PyResult<String> {
    let ablation: Ablation = json::parsed("ablation", ablation)?;
    let found = py.detach(|| ablated(subject(model), &ablation, data.data(), other.data(), None)).map_err(raised)?;
    json::written("ablation", &found)
}

/// Direct logit attribution at the predicted positions of data: the components' names, and what each adds to the logits,
/// `[component, batch, position, class]`.
#[pyfunction]
pub fn attribute<'py>(
    py: Python<'py>,
    model: &Model,
    data: &Dataset,
) -> PyResult<(Vec<String>, Bound<'py, PyArray4<f64>>)> {
    let data = data.data();
    let subject = Subject { model: model.handle().model(), engine: &Plain::new() };
    let found = py.detach(|| attribution(subject, data.tokens(), data.positions())).map_err(raised)?;
    let Attribution { components, contributions } = found;
    Ok((components, contributions.into_pyarray(py)))
}

/// What each source position adds to the logits through each head of a block, `[batch, head, position, source, class]`.
#[pyfunction]
pub fn attribute_sources<'py>(
    py: Python<'py>,
    model: &Model,
    data: &Dataset,
    layer: usize,
) -> PyResult<Bound<'py, PyArray5<f64>>> {
    let data = data.data();
    let subject = Subject { model: model.handle().model(), engine: &Plain::new() };
    let found = py.detach(|| source_attribution(subject, layer, data.tokens(), data.positions()));
    Ok(found.map_err(raised)?.into_pyarray(py))
}

/// The full OV and QK circuits of a block, and the direct path, by name.
#[pyfunction]
pub fn circuits<'py>(py: Python<'py>, model: &Model, layer: usize) -> PyResult<Bound<'py, PyDict>> {
    let whole = model.handle().model();
    let (circuits, direct) = py
        .detach(|| {
            let shown = Shown::all(whole.config());
            Ok((full_circuits(whole, layer, &shown)?, direct_path(whole, &shown)?))
        })
        .map_err(raised)?;
    let Circuits { layer: _, W_OV_full, W_QK_full, W_QK_pos_query, W_QK_pos_key } = circuits;
    let dict = PyDict::new(py);
    dict.set_item("W_OV_full", W_OV_full.into_pyarray(py))?;
    dict.set_item("W_QK_full", W_QK_full.into_pyarray(py))?;
    dict.set_item("W_QK_pos_query", W_QK_pos_query.into_pyarray(py))?;
    dict.set_item("W_QK_pos_key", W_QK_pos_key.into_pyarray(py))?;
    dict.set_item("direct_path", direct.into_pyarray(py))?;
    Ok(dict)
}

/// The model and its fastest backend.
pub fn subject(model: &Model) -> Subject<'_> {
    model.handle().into()
}
