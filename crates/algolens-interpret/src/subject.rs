//! The subject of an analysis.

use algolens_core::{HookedTransformer, engine::Engine, model::Model};

/// A model and the engine that runs it: what every analysis takes.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The model.
    pub model: &'a Model,
    /// The engine.
    pub engine: &'a dyn Engine,
}

impl<'a> From<&'a HookedTransformer> for Subject<'a> {
    fn from(transformer: &'a HookedTransformer) -> Self {
        Self { model: transformer.model(), engine: transformer.engine() }
    }
}
