//! Weights by name, between NumPy and a model.

use crate::error::raised;
use algolens::{
    Error,
    model::{Model, Params},
};
use ndarray::ArrayViewD;
use numpy::{IntoPyArray, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn};
use pyo3::{prelude::*, types::PyDict};

/// Every tensor by name, each a copy of the weights.
pub fn dict<'py>(py: Python<'py>, params: &Params<f32>) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for (name, tensor) in params.tensors() {
        dict.set_item(name, array(py, tensor))?;
    }
    Ok(dict)
}

/// A copy that Python code may read, but not write to: what it wrote would reach no model.
pub fn array<'py>(py: Python<'py>, tensor: ArrayViewD<'_, f32>) -> Bound<'py, PyArrayDyn<f32>> {
    let array = tensor.as_standard_layout().into_owned().into_pyarray(py);
    array.readwrite().make_nonwriteable();
    array
}

/// The model with other weights: all of its tensors, and no others.
pub fn filled(model: &Model, state_dict: &Bound<'_, PyDict>) -> PyResult<Model> {
    let mut model = model.clone();
    let names: Vec<String> = model.params.layout().names().iter().map(|named| named.name.clone()).collect();
    for (name, _) in state_dict {
        let name: String = name.extract()?;
        if !names.contains(&name) {
            return Err(raised(Error::unknown("weight of this model", &name, names)));
        }
    }
    for name in &names {
        let given = state_dict.get_item(name)?;
        let given = given.ok_or_else(|| raised(Error::invalid(name, "a tensor of that name", "none")))?;
        let given: PyReadonlyArrayDyn<'_, f32> = given.extract()?;
        fill(&mut model, name, given.as_array()).map_err(raised)?;
    }
    Ok(model)
}

fn fill(model: &mut Model, name: &str, given: ArrayViewD<'_, f32>) -> algolens::Result<()> {
    let mut tensor = model.params.tensor_mut(name)?;
    if tensor.shape() != given.shape() {
        let (expected, found) = (format!("shape {:?}", tensor.shape()), format!("{:?}", given.shape()));
        return Err(Error::invalid(name, expected, found));
    }
    if let Some((at, value)) = given.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(Error::invalid(name, "finite numbers", format!("{value} at element {at}")));
    }
    tensor.assign(&given);
    Ok(())
}
