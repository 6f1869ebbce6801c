//! Tasks, models, engines and training: what the other crates of algolens stand on.
//!
//! A [`task`] says what is learnt and makes data; a [`model`] is a config and named weights; an [`engine`] runs it, with
//! hooks and a cache where they are asked for; [`train`] makes models. Names, shapes and axes are TransformerLens's. Most
//! users want the crate `algolens`, which re-exports all of this.
//!
//! Features, all on by default: `parallel` (several threads; the results have the same bits without it), `files` (paths
//! beside bytes), `torch` (PyTorch, pickles, `.npz`). Without them the library compiles to `wasm32-unknown-unknown`.

pub mod engine;
mod error;
pub mod evaluation;
#[cfg(feature = "files")]
pub mod files;
mod header;
mod hooked_transformer;
pub mod model;
pub mod observer;
pub mod parallel;
pub mod provenance;
pub mod random;
mod scalar;
pub mod task;
pub mod train;

pub use error::{Error, Result};
pub use hooked_transformer::HookedTransformer;
pub use scalar::Scalar;
