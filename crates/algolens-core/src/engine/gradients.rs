//! What a backward pass starts from, and what it leaves.

use super::hooks::Cache;
use crate::{Result, model::Params};
use ndarray::{Array3, ArrayView3};

/// The gradients of a number with respect to the weights and to activations.
#[derive(Clone, Debug)]
pub struct Gradients<T> {
    /// With respect to every weight.
    pub params: Params<T>,
    /// With respect to the activations that were asked for, by hook name.
    pub activations: Cache<T>,
}

/// df/dlogits `[batch, pos, d_vocab_out]` of a number f, given the logits: what a backward pass starts from.
pub type Seed<'a, T> = &'a mut dyn FnMut(ArrayView3<'_, T>) -> Result<Array3<T>>;
