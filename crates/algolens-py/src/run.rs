//! Runs with hooks that are Python's.

use crate::error::{carried, raised};
use algolens::{
    HookedTransformer, Result,
    engine::hooks::{Cache, Filter, HookError, Hooks},
    task::Token,
};
use ndarray::{Array3, ArrayView3, ArrayViewMutD};
use numpy::{IntoPyArray, PyArray3, PyArrayDyn, PyReadonlyArray2, PyReadonlyArray3, PyReadonlyArrayDyn};
use pyo3::{prelude::*, types::PyDict};

/// A hook: the name of its point, and the function that is called with the activation and the name, and returns what the
/// activation is from there on.
pub type Hook = (String, Py<PyAny>);

/// What a run is given.
pub struct Asked {
    tokens: ndarray::Array2<Token>,
    hooks: Vec<Hook>,
    record: Vec<String>,
}

/// A run's logits and the activations that were recorded.
pub type Ran<'py> = (Bound<'py, PyArray3<f32>>, Bound<'py, PyDict>);
/// The logits, and the gradients by the weights and by activations.
pub type RanBackward<'py> = (Bound<'py, PyArray3<f32>>, Bound<'py, PyDict>, Bound<'py, PyDict>);

impl Asked {
    pub fn new(tokens: &PyReadonlyArray2<'_, Token>, hooks: Vec<Hook>, record: Vec<String>) -> Self {
        Self { tokens: tokens.as_array().to_owned(), hooks, record }
    }

    /// Runs the model, without the interpreter's lock but while a hook runs.
    pub fn run<'py>(self, py: Python<'py>, model: &HookedTransformer) -> PyResult<Ran<'py>> {
        let Self { tokens, hooks, record } = self;
        let ran = py.detach(|| -> Result<(Array3<f32>, Cache<f32>)> {
            let mut hooks = python_hooks(model, &hooks)?;
            let names: Vec<&str> = record.iter().map(String::as_str).collect();
            model.engine().run(model.model(), tokens.view(), &mut hooks, Filter::Names(&names))
        });
        let (logits, cache) = ran.map_err(raised)?;
        Ok((logits.into_pyarray(py), activations(py, cache)?))
    }

    /// Runs the model forward and backward; `seed` is called with the logits, and returns the derivative of a number by them.
    pub fn run_backward<'py>(
        self,
        py: Python<'py>,
        model: &HookedTransformer,
        seed: &Py<PyAny>,
    ) -> PyResult<RanBackward<'py>> {
        let Self { tokens, hooks, record } = self;
        let ran = py.detach(|| {
            let mut hooks = python_hooks(model, &hooks)?;
            let names: Vec<&str> = record.iter().map(String::as_str).collect();
            let mut seed = |logits: ArrayView3<'_, f32>| derivative(seed, logits);
            model.run_with_gradients(tokens.view(), &mut hooks, Filter::Names(&names), &mut seed)
        });
        let (logits, gradients) = ran.map_err(raised)?;
        let params = crate::tensors::dict(py, &gradients.params)?;
        Ok((logits.into_pyarray(py), params, activations(py, gradients.activations)?))
    }
}

/// The activations of a cache, moved to NumPy.
fn activations(py: Python<'_>, cache: Cache<f32>) -> PyResult<Bound<'_, PyDict>> {
    let dict = PyDict::new(py);
    for (name, activation) in cache.into_activations() {
        dict.set_item(name, activation.into_pyarray(py))?;
    }
    Ok(dict)
}

fn python_hooks<'a>(model: &'a HookedTransformer, hooks: &'a [Hook]) -> Result<Hooks<'a, f32>> {
    let mut all = model.hooks();
    for (name, function) in hooks {
        all.add(name, move |activation| call(name, function, activation))?;
    }
    Ok(all)
}

fn call(name: &str, function: &Py<PyAny>, activation: &mut ArrayViewMutD<'_, f32>) -> Result<(), HookError> {
    Python::attach(|py| {
        // Python code may keep what it is given for as long as it likes: it is given a copy.
        let given: Bound<'_, PyArrayDyn<f32>> = activation.to_owned().into_pyarray(py);
        let answer = function.call1(py, (given, name))?;
        let answer: PyReadonlyArrayDyn<'_, f32> = answer.extract(py)?;
        // The shape is the function's business; a wrong one is a panic no more than another mistake.
        let answer = answer.as_array();
        if answer.shape() != activation.shape() {
            let (expected, found) = (format!("shape {:?}", activation.shape()), format!("{:?}", answer.shape()));
            return Err(algolens::Error::invalid(format!("what the hook at {name} returns"), expected, found).into());
        }
        activation.assign(&answer);
        Ok(())
    })
}

fn derivative(seed: &Py<PyAny>, logits: ArrayView3<'_, f32>) -> Result<Array3<f32>> {
    let called = Python::attach(|py| -> PyResult<Array3<f32>> {
        let answer = seed.call1(py, (logits.to_owned().into_pyarray(py),))?;
        let answer: PyReadonlyArray3<'_, f32> = answer.extract(py)?;
        Ok(answer.as_array().to_owned())
    });
    called.map_err(|error| carried("logits", error))
}
