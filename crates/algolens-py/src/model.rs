//! A model, as Python holds it.

use crate::{
    error::raised,
    json,
    run::{Asked, Hook, Ran, RanBackward},
    tensors,
};
use algolens::{
    HookedTransformer,
    engine::{Vectors, hooks::HookPoint},
    model::{
        self, Config,
        checkpoint::{Checkpoint, Hints},
        processing::{Processed, Step},
    },
    provenance::Provenance,
    task::{TaskSpec, Token},
};
use numpy::{PyArrayDyn, PyReadonlyArray2};
use pyo3::{
    prelude::*,
    types::{PyBytes, PyDict},
};
use std::path::PathBuf;

/// A model that is ready to be run. It never changes.
#[pyclass(frozen)]
pub struct Model {
    handle: HookedTransformer,
    task: Option<TaskSpec>,
    processing: Vec<Step>,
    /// SHA-256 of the model before its weights were processed.
    given: String,
}

impl Model {
    pub fn new(handle: HookedTransformer, task: Option<TaskSpec>) -> Self {
        Self { given: handle.model().sha256(), handle, task, processing: Vec::new() }
    }

    /// The model and its engine.
    pub fn handle(&self) -> &HookedTransformer {
        &self.handle
    }

    /// The task that it was trained on, if it is known.
    pub fn spec(&self) -> Option<&TaskSpec> {
        self.task.as_ref()
    }

    /// Where a result about the model comes from.
    pub fn origin(&self, made_by: &str, seed: Option<u64>) -> Provenance {
        Provenance::of(&self.given, self.handle.engine(), Vectors::best(), made_by, seed)
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

    /// The model that [`state`](Self::state) is of.
    #[staticmethod]
    fn restored(bytes: Vec<u8>, processing: &str, given: String) -> PyResult<Self> {
        let loaded = Checkpoint::from_bytes(bytes, &Hints::default()).map_err(raised)?;
        let Checkpoint { model, task } = loaded.checkpoint;
        Ok(Self {
            handle: HookedTransformer::new(model),
            task,
            processing: json::parsed("processing", processing)?,
            given,
        })
    }

    /// All that the model is: a file of our own, its processing as JSON, and the SHA-256 before that.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<(Bound<'py, PyBytes>, String, String)> {
        let bytes = self.checkpoint().to_bytes().map_err(raised)?;
        Ok((PyBytes::new(py, &bytes), json::written("processing", &self.processing)?, self.given.clone()))
    }

    /// The model with another score of keys that a query must not see; none: minus infinity.
    #[pyo3(signature = (masked_score))]
    fn with_masked_score(&self, masked_score: Option<f64>) -> PyResult<Self> {
        let mut model = model::Model::zeros(Config { masked_score, ..self.handle.config().clone() }).map_err(raised)?;
        model.params.values_mut().copy_from_slice(self.handle.model().params.values());
        Ok(Self::new(HookedTransformer::new(model), self.task.clone()))
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
        Ok(Self { handle, task: self.task.clone(), processing, given: self.given.clone() })
    }

    /// The model after every step that is valid for it; as it is, if it is processed already.
    fn processed(&self) -> Self {
        let (handle, processing) = if self.processing.is_empty() {
            let Processed { model, applied } = self.handle.model().process();
            (HookedTransformer::new(model), applied)
        } else {
            (self.handle.clone(), self.processing.clone())
        };
        Self { handle, task: self.task.clone(), processing, given: self.given.clone() }
    }

    /// Where a result about the model comes from, by the call, the seed of what was drawn, and what ran it, as JSON.
    #[pyo3(signature = (made_by, seed=None, backend=None))]
    fn provenance(&self, made_by: &str, seed: Option<u64>, backend: Option<String>) -> PyResult<String> {
        let origin = self.origin(made_by, seed);
        let backend = backend.unwrap_or_else(|| origin.backend.clone());
        json::written("provenance", &Provenance { backend, ..origin })
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

    /// Writes the model whole, as a file of our own.
    fn save(&self, path: PathBuf) -> PyResult<()> {
        self.checkpoint().save(&path).map_err(raised)
    }
}
