//! A model, as Python holds it.

use crate::{
    error::raised,
    json,
    run::{Asked, Hook, Ran, RanBackward},
    tensors,
};
use algolens::{
    HookedTransformer,
    check::certificate::digest,
    engine::{Vectors, hooks::HookPoint},
    model::{
        self, Config,
        checkpoint::{Checkpoint, Hints},
        processing::{Processed, Step},
    },
    task::{TaskSpec, Token},
};
use numpy::{PyArrayDyn, PyReadonlyArray2};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};
use serde::Serialize;
use std::path::PathBuf;

/// What a result records of the model that it is about.
#[derive(Serialize)]
struct Provenance<'a> {
    algolens: &'static str,
    /// Of the weights and the config.
    sha256: String,
    task: Option<&'a TaskSpec>,
    processing: &'a [Step],
    /// What runs it where nothing is looked at inside.
    backend: &'static str,
    vectors: &'static str,
}

/// A model that is ready to be run. It never changes.
#[pyclass(frozen)]
pub struct Model {
    handle: HookedTransformer,
    task: Option<TaskSpec>,
    processing: Vec<Step>,
}

impl Model {
    pub fn new(handle: HookedTransformer, task: Option<TaskSpec>) -> Self {
        Self { handle, task, processing: Vec::new() }
    }

    /// The model and its engine.
    pub fn handle(&self) -> &HookedTransformer {
        &self.handle
    }

    /// The task that it was trained on, if it is known.
    pub fn spec(&self) -> Option<&TaskSpec> {
        self.task.as_ref()
    }

    /// The processing steps that the weights went through.
    pub fn processing(&self) -> &[Step] {
        &self.processing
    }

    fn checkpoint(&self) -> Checkpoint {
        Checkpoint { model: self.handle.model().clone(), task: self.task.clone() }
    }
}

#[pymethods]
impl Model {
    /// An untrained model of a config, as JSON.
    #[staticmethod]
    fn init(config: &str, seed: u64) -> PyResult<Self> {
        let config: Config = json::parsed("config", config)?;
        let model = model::Model::init(config, seed).map_err(raised)?;
        Ok(Self::new(HookedTransformer::new(model), None))
    }

    /// The model of a file of our own.
    #[staticmethod]
    fn from_bytes(bytes: Vec<u8>) -> PyResult<Self> {
        let loaded = Checkpoint::from_bytes(bytes, &Hints::default()).map_err(raised)?;
        Ok(Self::new(HookedTransformer::new(loaded.checkpoint.model), loaded.checkpoint.task))
    }

    /// Whether the model has hook points of these names.
    fn check_hook_points(&self, names: Vec<String>) -> PyResult<()> {
        names.iter().try_for_each(|name| HookPoint::find(name, self.handle.config()).map(drop)).map_err(raised)
    }

    /// The config, as JSON.
    #[getter]
    fn config(&self) -> PyResult<String> {
        json::written("config", self.handle.config())
    }

    /// The task that the model was trained on, if it is known.
    #[getter]
    fn task(&self) -> Option<String> {
        self.task.as_ref().map(ToString::to_string)
    }

    /// The names of all hook points, in the order of the forward pass.
    #[getter]
    fn hook_points(&self) -> Vec<String> {
        HookPoint::all(self.handle.config()).iter().map(ToString::to_string).collect()
    }

    /// The names of all weights, in the order of the flat vector.
    #[getter]
    fn weights(&self) -> Vec<String> {
        self.handle.model().params.layout().names().iter().map(|named| named.name.clone()).collect()
    }

    /// One weight.
    fn tensor<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        Ok(tensors::array(py, self.handle.model().params.tensor(name).map_err(raised)?))
    }

    /// Every weight by name.
    fn tensors<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        tensors::dict(py, &self.handle.model().params)
    }

    /// The model with other weights: all of its tensors, and no others.
    fn with_tensors(&self, state_dict: &Bound<'_, PyDict>) -> PyResult<Self> {
        let model = tensors::filled(self.handle.model(), state_dict)?;
        Ok(Self::new(HookedTransformer::new(model), self.task.clone()))
    }

    /// The model after one step of weight processing, by TransformerLens's name for it.
    fn stepped(&self, step: &str) -> PyResult<Self> {
        let model = self.handle.model();
        let (step, model) = match step {
            "fold_ln" => (Step::FoldLayerNorm, model.fold_layer_norm()),
            "center_writing_weights" => (Step::CenterWritingWeights, model.center_writing_weights()),
            "center_unembed" => (Step::CenterUnembed, model.center_unembed()),
            "fold_value_biases" => (Step::FoldValueBiases, model.fold_value_biases()),
            _ => return Err(raised(algolens::Error::invalid("processing step", "one that there is", step))),
        };
        let processing = self.processing.iter().copied().chain([step]).collect();
        let handle = HookedTransformer::new(model.map_err(raised)?);
        Ok(Self { handle, task: self.task.clone(), processing })
    }

    /// The model after every step that is valid for it; as it is, if it is processed already.
    fn processed(&self) -> Self {
        let (handle, processing) = if self.processing.is_empty() {
            let Processed { model, applied } = self.handle.model().process();
            (HookedTransformer::new(model), applied)
        } else {
            (self.handle.clone(), self.processing.clone())
        };
        Self { handle, task: self.task.clone(), processing }
    }

    /// What a result about the model records of it, as JSON.
    #[getter]
    fn provenance(&self) -> PyResult<String> {
        let provenance = Provenance {
            algolens: env!("CARGO_PKG_VERSION"),
            sha256: digest(self.handle.model()),
            task: self.task.as_ref(),
            processing: &self.processing,
            backend: self.handle.engine().name(),
            vectors: Vectors::best().name(),
        };
        json::written("provenance", &provenance)
    }

    /// The logits `[batch, pos, d_vocab_out]`, and the activations of these names, after hooks have changed them.
    fn run<'py>(
        &self,
        py: Python<'py>,
        tokens: PyReadonlyArray2<'py, Token>,
        hooks: Vec<Hook>,
        record: Vec<String>,
    ) -> PyResult<Ran<'py>> {
        Asked::new(&tokens, hooks, record).run(py, &self.handle)
    }

    /// The logits, and the gradients of a number by the weights and by the activations of these names: `seed` is called with the
    /// logits, and returns its derivative by them.
    fn run_backward<'py>(
        &self,
        py: Python<'py>,
        tokens: PyReadonlyArray2<'py, Token>,
        hooks: Vec<Hook>,
        record: Vec<String>,
        seed: Py<PyAny>,
    ) -> PyResult<RanBackward<'py>> {
        Asked::new(&tokens, hooks, record).run_backward(py, &self.handle, &seed)
    }

    /// The model as a file of our own.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.checkpoint().to_bytes().map_err(raised)?))
    }

    /// Writes the model whole, as a file of our own.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        self.checkpoint().save(&path).map_err(raised)
    }
}
