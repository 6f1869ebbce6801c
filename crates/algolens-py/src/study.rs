//! Studies and their pages.

use crate::{analysis::subject, data::Dataset, error::raised, json, model::Model, task::Task, watch::Watch};
use algolens::{
    interpret::{self, Arrays, Casebooks, Material, Stage, StudyOptions},
    task::Token,
};
use algolens_report::{FigureFile, Report, ReportError};
use numpy::ToPyArray;
use pyo3::{prelude::*, types::PyDict};

/// A study of a model: all that was measured, and how it is shown.
#[pyclass(frozen)]
pub struct Study {
    study: interpret::Study,
    arrays: Arrays,
}

impl Study {
    fn report(&self) -> Report<'_> {
        Report { study: &self.study, arrays: &self.arrays, proof: None }
    }
}

/// The exception of a page that cannot be made.
pub fn failed(error: ReportError) -> PyErr {
    raised(error.into())
}

#[pymethods]
impl Study {
    /// Everything but the arrays, as JSON.
    #[getter]
    fn results(&self) -> PyResult<String> {
        json::written("study", &self.study)
    }

    /// The arrays by name.
    fn arrays<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (name, array) in &self.arrays {
            dict.set_item(name, array.to_pyarray(py))?;
        }
        Ok(dict)
    }

    /// The page, as HTML.
    fn page(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| algolens_report::page(&self.report())).map_err(failed)
    }

    /// A light page, as HTML: a tenth of the whole.
    fn light_page(&self, py: Python<'_>) -> PyResult<String> {
        py.detach(|| algolens_report::light_page(&self.report())).map_err(failed)
    }

    /// Every figure: its name, SVG, and its numbers as CSV.
    fn figures(&self, py: Python<'_>) -> PyResult<Vec<(String, String, String)>> {
        let figures = py.detach(|| algolens_report::figures(&self.report())).map_err(failed)?;
        Ok(figures.into_iter().map(|FigureFile { name, svg, csv }| (name, svg, csv)).collect())
    }
}

/// The study of a model on a task, or on data.
#[pyfunction]
#[pyo3(signature = (model, task=None, data=None, title=None, size=None, seed=43, inputs=Vec::new(), others=Vec::new(),
                    task_assumed=false, made_by="study", progress=None))]
#[expect(clippy::too_many_arguments, reason = "one for each of Python's")]
pub fn study(
    py: Python<'_>,
    model: &Model,
    task: Option<&Task>,
    data: Option<&Dataset>,
    title: Option<String>,
    size: Option<usize>,
    seed: u32,
    inputs: Vec<Vec<Token>>,
    others: Vec<PyRef<'_, Model>>,
    task_assumed: bool,
    made_by: &str,
    progress: Option<Py<PyAny>>,
) -> PyResult<Study> {
    let defaults = StudyOptions::default();
    let others = others.iter().map(|other| other.handle().model().clone()).collect();
    let size = size.or(data.map(|data| data.data().len())).unwrap_or(defaults.size);
    let title = title.unwrap_or(defaults.title);
    let provenance = Some(model.origin(made_by, data.is_none().then_some(seed.into())));
    let options = StudyOptions { title, size, seed, inputs, others, provenance, ..defaults };
    let mut watch = Watch::new(progress);
    let result = py.detach(|| {
        let (material, casebook) = match (task, data) {
            (_, Some(data)) => (Material::Data(data.data()), None),
            (Some(task), None) => (Material::Task(&**task.task()), Casebooks::default().of(&**task.task())?),
            (None, None) => return Err(algolens::Error::invalid("study", "a task or data", "neither")),
        };
        let mut tell = |stage: Stage| watch.tell(|| (stage.done as u64, stage.total as u64, stage.what.into()));
        let casebook = casebook.as_deref();
        interpret::study(subject(model), material, casebook, &options, model.processing(), &mut tell)
    });
    if let Some(task) = task {
        task.raised(py)?;
    }
    let (mut study, arrays) = watch.outcome(py, result)?;
    if task_assumed && study.task.is_some() {
        study.assume_task();
    }
    Ok(Study { study, arrays })
}
