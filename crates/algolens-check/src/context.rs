//! The context that the proofs of all classes are replayed in.

use super::{circuits::Circuits, class::Counts, first::Certified};
use algolens_core::engine::Vectors;

/// The context of a proof: circuits, counts, certified classes and the certificate's parameters.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    /// The classes that the certificate calls certified.
    pub certified: &'a Certified,
    /// The model's circuits.
    pub circuits: &'a Circuits,
    /// Counts of the task's lists.
    pub counts: &'a Counts,
    /// Logits by which an answer must exceed another.
    pub slack: f64,
    /// Logits (times σ) that a floor of 1 stands for.
    pub floor_unit: f64,
    /// The vector instructions to use.
    pub vectors: Vectors,
}
