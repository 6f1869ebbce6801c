//! The subject of an analysis.

use algolens_core::{engine::Engine, model::Model};

/// A model and the engine that runs it: what every analysis takes.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Model,
    /// The engine.
    pub engine: &'a dyn Engine,
}
