//! Running a model.
//!
//! [`Engine`] is what training and interpretation see. A model has up to three backends: [`Plain`] is the reference that
//! the others are tested against; [`Table`] is fast, of models of the whole family; [`Circuit`] is fastest, for one-layer attention-only
//! models. [`Backend::best`] chooses.

mod activation;
mod backend;
mod batch;
mod check;
mod circuit;
mod gradients;
mod groups;
pub mod hooks;
mod interface;
mod level;
pub mod loss;
#[doc(hidden)]
pub mod matmul;
mod memory;
mod plain;
#[doc(hidden)]
pub mod products;
mod queries;
mod roof;
mod rotary;
#[doc(hidden)]
pub mod softmax;
mod table;
#[doc(hidden)]
pub mod vector;
mod work;

pub use backend::Backend;
pub use batch::Batch;
pub use check::{check_batch, check_gradients, check_run, check_tokens, sequences_at_a_time};
pub use circuit::Circuit;
#[doc(hidden)]
pub use fearless_simd;
pub use gradients::{Gradients, Seed};
pub use interface::Engine;
pub use level::Vectors;
pub use loss::{Outcome, Score};
pub use plain::{Plain, precision::Precision};
pub use roof::independent_multiply_adds;
pub use table::Table;
pub use work::MultiplyAdds;

use crate::model::{K, Q, V};
