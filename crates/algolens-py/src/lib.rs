//! The compiled half of the Python package `algolens`: models, tasks and analyses as plain values.
//!
//! What a user of Python sees is in `python/algolens/`; here arrays are NumPy's, everything else that has a structure is JSON,
//! and whatever takes long releases the interpreter's lock.

mod analysis;
mod data;
mod error;
mod figures;
mod json;
mod model;
mod proof;
mod read;
mod run;
mod study;
mod sweep;
mod task;
mod tensors;
mod train;
mod watch;

/// The compiled half of `algolens`.
#[pyo3::pymodule(gil_used = true)]
mod _algolens {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::analysis::{
        ablate, attribute, attribute_sources, circuits, evaluate, evaluate_all, inputs_to_run, join_counts,
    };
    #[pymodule_export]
    use crate::data::Dataset;
    #[pymodule_export]
    use crate::error::AlgolensError;
    #[pymodule_export]
    use crate::figures::Figure;
    #[pymodule_export]
    use crate::model::Model;
    #[pymodule_export]
    use crate::proof::{
        attack, begin_part, certified_by_parts, certify, check_certificate, go_on_with_part, join_search, proof_size,
    };
    #[pymodule_export]
    use crate::read::{Found, read_checkpoint};
    #[pymodule_export]
    use crate::study::{Study, study};
    #[pymodule_export]
    use crate::sweep::Sweep;
    #[pymodule_export]
    use crate::task::Task;
    #[pymodule_export]
    use crate::train::{Trained, hold_out, recipe_fields, train};

    /// From now on everything runs on the thread that asks for it: in a process that was forked, where the others are gone.
    #[pyfunction]
    fn stay_on_one_thread() {
        algolens::parallel::stay_on_one_thread();
    }

    /// The vector instructions that this machine has, narrowest first.
    #[pyfunction]
    fn vectors() -> Vec<&'static str> {
        algolens::engine::Vectors::available().iter().map(algolens::engine::Vectors::name).collect()
    }

    /// Writes a file under a temporary name, then renames it.
    #[pyfunction]
    fn write_whole(path: std::path::PathBuf, bytes: &[u8]) -> PyResult<()> {
        algolens::files::write_whole(&path, bytes).map_err(crate::error::raised)
    }

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
