//! How a run's learning rate falls, and which of its weights are kept.

use serde::{Deserialize, Serialize};

/// How the learning rate falls from `lr_start` to `lr_end`, but for warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// By the same amount each epoch, the first included, so that the last epoch has `lr_end` (the post's).
    Linear,
    /// As half a wave of the cosine, step by step (Loshchilov & Hutter 2017, without restarts).
    Cosine,
    /// It stays at `lr_start`.
    Constant,
}

/// Which epoch's weights are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those that are most accurate on the validation data, the first of equals.
    Accuracy,
    /// Those that lose least on the validation data, the first of equals.
    Loss,
    /// The last.
    Last,
}
