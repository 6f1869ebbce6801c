//! A task that a user writes in Python.

use crate::{data, json};
use algolens::{
    Error, Result,
    model::AttentionDir,
    random::Twister,
    task::{Inputs, Right, Role, Targets, Task, TaskSpec, Token},
};
use ndarray::Array2;
use pyo3::{exceptions::PyValueError, prelude::*};
use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

/// A task whose examples and targets a Python object gives. What never changes is read once.
pub struct Own {
    object: Py<PyAny>,
    spec: TaskSpec,
    n_ctx: usize,
    token_labels: Vec<String>,
    output_labels: Vec<String>,
    roles: Vec<Role>,
    predicted_positions: Vec<usize>,
    padding: Option<Token>,
    attention_dir: AttentionDir,
    /// All inputs, if they are listed.
    inputs: Option<Vec<Vec<Token>>>,
    /// What the object has raised where the library expects no error.
    raised: Mutex<Option<PyErr>>,
}

impl Own {
    /// The task of an object with the attributes of `algolens.Task`.
    pub fn new(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        fn attribute<'py, V>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<V>
        where
            V: for<'a> FromPyObject<'a, 'py>,
        {
            object.getattr(name)?.extract().map_err(Into::into)
        }
        let causal: String = attribute(object, "attention_dir")?;
        let roles: Vec<String> = attribute(object, "roles")?;
        Ok(Self {
            object: object.clone().unbind(),
            spec: TaskSpec::new(attribute::<String>(object, "name")?),
            n_ctx: attribute(object, "n_ctx")?,
            token_labels: attribute(object, "vocab")?,
            output_labels: attribute(object, "classes")?,
            roles: roles.iter().map(|role| json::parsed("role", &format!("{role:?}"))).collect::<PyResult<_>>()?,
            predicted_positions: attribute(object, "predicted_positions")?,
            padding: attribute(object, "padding")?,
            attention_dir: json::parsed("attention_dir", &format!("{causal:?}"))?,
            inputs: attribute(object, "inputs")?,
            raised: Mutex::new(None),
        })
    }

    /// What the object has raised since this was asked last.
    pub fn raised(&self, py: Python<'_>) -> PyResult<()> {
        let raised = py.detach(|| self.raised.lock().unwrap_or_else(PoisonError::into_inner).take());
        raised.map_or(Ok(()), Err)
    }

    /// Whether the object has raised since this was asked last.
    pub fn has_raised(&self) -> bool {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What Python code comes to; nothing where it raises, which is kept.
    fn call<R>(&self, code: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> Option<R> {
        let raised = || self.raised.lock().unwrap_or_else(PoisonError::into_inner);
        if raised().is_some() {
            return None;
        }
        match Python::attach(|py| code(self.object.bind(py))) {
            Ok(value) => Some(value),
            Err(error) => {
                raised().get_or_insert(error);
                None
            }
        }
    }

    /// What a method returns that says, by a `ValueError`, that it was given nothing of the task.
    fn accepted<R>(&self, what: &str, code: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<R>) -> Result<R> {
        let called = self.call(|object| match code(object) {
            Err(error) if error.is_instance_of::<PyValueError>(object.py()) => {
                Ok(Err(error.value(object.py()).to_string()))
            }
            answer => answer.map(Ok),
        });
        let refused = |found: String| Error::invalid(what, format!("one of {}", self.spec), found);
        called.unwrap_or_else(|| Err("an exception".into())).map_err(refused)
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.spec)
    }
}

impl Task for Own {
    fn spec(&self) -> TaskSpec {
        self.spec.clone()
    }

    fn n_ctx(&self) -> usize {
        self.n_ctx
    }

    fn token_labels(&self) -> Vec<String> {
        self.token_labels.clone()
    }

    fn output_labels(&self) -> Vec<String> {
        self.output_labels.clone()
    }

    fn roles(&self) -> Vec<Role> {
        self.roles.clone()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        self.predicted_positions.clone()
    }

    fn padding(&self) -> Option<Token> {
        self.padding
    }

    fn attention_dir(&self) -> AttentionDir {
        self.attention_dir
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        let all = self.inputs.as_deref()?;
        Some(Inputs::new(all.len() as u128, |at| usize::try_from(at).map_or_else(|_| Vec::new(), |at| all[at].clone())))
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let right = self.call(|object| data::right(&object.call_method1("_targets", (example.to_vec(),))?));
        // Targets of no prediction fit no task, so that the work ends here.
        right.unwrap_or_else(|| Right::Classes(Array2::zeros((1, 0)))).into()
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let seed = rng.next_u32();
        let drawn = self.call(|object| object.call_method1("_generate", (seed,))?.extract::<Vec<Token>>());
        if let Some(drawn) = drawn.filter(|drawn| drawn.len() == example.len()) {
            example.copy_from_slice(&drawn);
        }
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.accepted("example", |object| object.call_method1("_validate", (example.to_vec(),)).map(drop))
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        self.accepted("input", |object| object.call_method1("_complete", (input.to_vec(),))?.extract())
    }
}
