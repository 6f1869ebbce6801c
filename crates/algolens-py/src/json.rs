//! Values with a structure, as JSON.

use crate::error::raised;
use algolens::Error;
use pyo3::PyResult;
use serde::{Serialize, de::DeserializeOwned};

/// A value as JSON.
pub fn written<V: Serialize>(what: &str, value: &V) -> PyResult<String> {
    serde_json::to_string(value).map_err(|error| raised(Error::invalid(what, "what JSON can hold", error)))
}

/// The value that JSON is.
pub fn parsed<V: DeserializeOwned>(what: &str, text: &str) -> PyResult<V> {
    serde_json::from_str(text).map_err(|error| raised(Error::invalid(what, "a value that it can have", error)))
}
