//! Examples with what is right of them.

use crate::error::raised;
use algolens::task::{self, Right, RightView, Targets, Token};
use numpy::{
    IntoPyArray, PyArray2, PyReadonlyArray2, PyReadonlyArray3, ToPyArray,
    ndarray::{ArrayView2, Axis},
};
use pyo3::prelude::*;
use sha2::{Digest, Sha256};

/// Examples, and what is right at each predicted position.
#[pyclass(frozen)]
pub struct Dataset {
    data: task::Dataset,
}

impl Dataset {
    pub fn new(data: task::Dataset) -> Self {
        Self { data }
    }

    /// The examples themselves.
    pub fn data(&self) -> &task::Dataset {
        &self.data
    }
}

/// Tokens or classes as the rest of NumPy counts.
fn counted<'py>(py: Python<'py>, tokens: ArrayView2<'_, Token>) -> Bound<'py, PyArray2<i64>> {
    tokens.mapv(i64::from).into_pyarray(py)
}

#[pymethods]
impl Dataset {
    /// Examples of no task in particular.
    #[staticmethod]
    #[pyo3(signature = (tokens, targets, positions, labels, output_labels, weights=None, padding=None))]
    fn of(
        tokens: PyReadonlyArray2<'_, Token>,
        targets: &Bound<'_, PyAny>,
        positions: Vec<usize>,
        labels: Vec<String>,
        output_labels: Vec<String>,
        weights: Option<PyReadonlyArray2<'_, f32>>,
        padding: Option<Token>,
    ) -> PyResult<Self> {
        let tokens = tokens.as_array().to_owned();
        let mut targets: Targets = right(targets)?.into();
        if let Some(weights) = weights {
            targets = targets.weighted(weights.as_array().to_owned());
        }
        let data = match padding {
            Some(padding) => task::Dataset::padded(tokens, targets, positions, labels, padding),
            None => task::Dataset::new(tokens, targets, positions, labels),
        };
        Ok(Self::new(data.map_err(raised)?.with_output_labels(output_labels)))
    }

    /// The examples of both, these first.
    fn joined(&self, other: &Self) -> PyResult<Self> {
        Ok(Self::new(task::Dataset::joined(&[&self.data, &other.data]).map_err(raised)?))
    }

    /// SHA-256 of tokens, positions, targets, weights and padding.
    #[getter]
    pub fn sha256(&self) -> String {
        let (data, targets) = (&self.data, self.data.targets());
        let mut hash = Sha256::new();
        hash.update(format!(
            "{:?} {:?} {:?} {:?}",
            data.tokens().dim(),
            data.positions(),
            targets.dim(),
            data.padding()
        ));
        data.tokens().iter().for_each(|token| hash.update(token.to_le_bytes()));
        match targets.right {
            RightView::Classes(classes) => classes.iter().for_each(|class| hash.update(class.to_le_bytes())),
            RightView::Sets(sets) => sets.iter().for_each(|is_right| hash.update([u8::from(*is_right)])),
            RightView::Distributions(all) => all.iter().for_each(|share| hash.update(share.to_le_bytes())),
        }
        targets.weights.into_iter().flatten().for_each(|weight| hash.update(weight.to_le_bytes()));
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The token that fills shorter examples, if there is one.
    #[getter]
    fn padding(&self) -> Option<Token> {
        self.data.padding()
    }

    /// Whether the examples are the same as others.
    fn equals(&self, other: &Self) -> bool {
        self.data == other.data
    }

    /// For each example the next, and for the last the first: examples to resample from.
    fn rolled(&self) -> Self {
        let order: Vec<usize> = (1..self.data.len()).chain([0]).take(self.data.len()).collect();
        Self::new(self.data.select(&order))
    }

    fn __len__(&self) -> usize {
        self.data.len()
    }

    /// `[example, pos]`.
    #[getter]
    fn tokens<'py>(&self, py: Python<'py>) -> Bound<'py, PyArray2<i64>> {
        counted(py, self.data.tokens())
    }

    /// `[example, predicted position]` of classes; with a last axis of classes, truth values (sets) or floats (distributions).
    #[getter]
    fn targets<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        match self.data.targets().right {
            RightView::Classes(classes) => counted(py, classes).into_any(),
            RightView::Sets(sets) => sets.to_pyarray(py).into_any(),
            RightView::Distributions(distributions) => distributions.to_pyarray(py).into_any(),
        }
    }

    /// What each prediction counts, `[example, predicted position]`, if they count different amounts.
    #[getter]
    fn weights<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyArray2<f32>>> {
        self.data.targets().weights.map(|weights| weights.to_pyarray(py))
    }

    /// The predicted positions.
    #[getter]
    fn positions(&self) -> Vec<usize> {
        self.data.positions().to_vec()
    }

    /// What each token is called.
    #[getter]
    fn labels(&self) -> Vec<String> {
        self.data.token_labels().to_vec()
    }

    /// What each class is called.
    #[getter]
    fn output_labels(&self) -> Vec<String> {
        self.data.output_labels().to_vec()
    }

    /// What the tokens of each example are called.
    fn names(&self) -> Vec<Vec<String>> {
        (0..self.data.tokens().len_of(Axis(0))).map(|example| self.data.labels(example)).collect()
    }
}

/// What is right at each prediction, `[example, predicted position]` of classes, or with a last axis of classes.
pub fn right(given: &Bound<'_, PyAny>) -> PyResult<Right> {
    if let Ok(classes) = given.extract::<PyReadonlyArray2<'_, Token>>() {
        return Ok(classes.as_array().to_owned().into());
    }
    if let Ok(sets) = given.extract::<PyReadonlyArray3<'_, bool>>() {
        return Ok(sets.as_array().to_owned().into());
    }
    let distributions: PyReadonlyArray3<'_, f32> = given.extract()?;
    Ok(distributions.as_array().to_owned().into())
}
