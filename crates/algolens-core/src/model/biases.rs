//! Which biases a model has.

use serde::{Deserialize, Serialize};

/// Which biases a model has. One that is absent is not stored, not trained and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(non_snake_case, reason = "biases are called what the literature calls them")]
pub struct Biases {
    /// Of queries, keys and values: `b_Q`, `b_K`, `b_V`.
    pub b_QKV: bool,
    /// Of what attention writes: `b_O`.
    pub b_O: bool,
    /// Of an MLP's hidden layer: `b_in`.
    pub b_in: bool,
    /// Of what an MLP writes: `b_out`.
    pub b_out: bool,
    /// Of layer norms with weights: `b`.
    pub norm: bool,
    /// Of the logits: `b_U`.
    pub b_U: bool,
}

impl Biases {
    /// All of them, as TransformerLens has it.
    pub const ALL: Self = Self::every(true);
    /// None of them.
    pub const NONE: Self = Self::every(false);

    const fn every(is: bool) -> Self {
        Self { b_QKV: is, b_O: is, b_in: is, b_out: is, norm: is, b_U: is }
    }
}

impl Default for Biases {
    fn default() -> Self {
        Self::ALL
    }
}
