//! Train small transformers on algorithmic tasks, take them apart, and show why the explanation holds.

#![warn(missing_docs)]

pub mod engine;
mod error;
#[cfg(feature = "files")]
pub mod files;
pub mod interpret;
pub mod model;
pub mod observer;
pub mod random;
mod scalar;
pub mod task;
pub mod train;

pub use error::{Error, Result};
pub use scalar::Scalar;
