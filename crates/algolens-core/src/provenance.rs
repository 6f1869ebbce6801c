//! Where a result comes from.

use crate::engine::{Engine, Vectors};
use serde::{Deserialize, Serialize};

/// Where a result comes from: enough to make it again, and to see whether two are about one model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The version of algolens.
    pub algolens: String,
    /// The command line, or the call, that made it.
    pub made_by: String,
    /// SHA-256 of the model that was given ([`Model::sha256`](crate::model::Model::sha256)), before its weights were processed.
    pub sha256: String,
    /// The seed of what was drawn, if anything was.
    pub seed: Option<u64>,
    /// The backend that ran the model; hooks are run by the plain one.
    pub backend: String,
    /// The vector instructions that the backend used; the plain one chooses its own.
    pub vectors: String,
}

impl Provenance {
    /// That of a result about the model with this [`sha256`](Self::sha256), by this engine with these instructions.
    pub fn of(
        sha256: impl Into<String>,
        engine: &dyn Engine,
        vectors: Vectors,
        made_by: impl Into<String>,
        seed: Option<u64>,
    ) -> Self {
        Self {
            algolens: env!("CARGO_PKG_VERSION").into(),
            made_by: made_by.into(),
            sha256: sha256.into(),
            seed,
            backend: engine.name().into(),
            vectors: vectors.name().into(),
        }
    }
}
