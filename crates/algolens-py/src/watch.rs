//! Long work, as Python watches it.

use crate::error::raised;
use algolens::{Error, Result};
use pyo3::{exceptions::PyKeyboardInterrupt, prelude::*};
use std::{
    ops::ControlFlow,
    time::{Duration, Instant},
};

/// Watches long work that was begun without the interpreter's lock: tells a Python function how far it is, and ends it where
/// that function raises, or where the user interrupts.
pub struct Watch {
    /// Called with how much is done, of how much (0: nobody knows), and a line.
    progress: Option<Py<PyAny>>,
    told: Option<Instant>,
    raised: Option<PyErr>,
}

impl Watch {
    const EVERY: Duration = Duration::from_millis(100);

    pub fn new(progress: Option<Py<PyAny>>) -> Self {
        Self { progress, told: None, raised: None }
    }

    /// Tells now and then.
    pub fn tell(&mut self, far: impl FnOnce() -> (u64, u64, String)) -> ControlFlow<()> {
        if self.told.is_some_and(|told| told.elapsed() < Self::EVERY) {
            return ControlFlow::Continue(());
        }
        self.told = Some(Instant::now());
        let told = Python::attach(|py| {
            py.check_signals()?;
            self.progress.as_ref().map_or(Ok(()), |progress| progress.call1(py, far()).map(drop))
        });
        match told {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.raised = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    /// Whether the user has interrupted the work.
    pub fn is_interrupted(&self, py: Python<'_>) -> bool {
        self.raised.as_ref().is_some_and(|error| error.is_instance_of::<PyKeyboardInterrupt>(py))
    }

    /// What the work came to: if it was ended here, and nothing of it is kept, the exception that ended it.
    pub fn outcome<R>(self, py: Python<'_>, result: Result<R>) -> PyResult<R> {
        let is_interrupted = self.is_interrupted(py);
        match (result, self.raised) {
            (Ok(kept), Some(_)) if is_interrupted => Ok(kept),
            (Ok(_) | Err(Error::Cancelled), Some(error)) => Err(error),
            (result, _) => result.map_err(raised),
        }
    }
}
