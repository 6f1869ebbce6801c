//! The library's errors as Python's exceptions.

use algolens::Error;
use pyo3::{PyErr, create_exception, exceptions::PyValueError};

create_exception!(
    algolens,
    AlgolensError,
    PyValueError,
    "What algolens refuses, or fails at: one line that names the thing, what was expected and what was found."
);

/// The exception of an error. What Python code that the library called has raised is that exception itself.
pub fn raised(error: Error) -> PyErr {
    match error {
        Error::Hook { point, source } => match source.downcast::<PyErr>() {
            Ok(raised) => *raised,
            Err(source) => AlgolensError::new_err(Error::Hook { point, source }.to_string()),
        },
        error => AlgolensError::new_err(error.to_string()),
    }
}

/// The error that an exception in Python code at a place of a run is, to be [`raised`] again.
pub fn carried(point: &str, raised: PyErr) -> Error {
    Error::Hook { point: point.into(), source: Box::new(raised) }
}
