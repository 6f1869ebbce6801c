//! Prediction classes of a sorting task.

use algolens_core::task::Token;
use serde::{Deserialize, Serialize};

/// The predictions that have the same place, current token and right answer: `(i, d, y)`.
///
/// Prediction `i` of a list is in the class if the list's sorted values have `y` at place `i` and `d` right before it:
/// `i - 1` values are below `d`, the rest above `y`, and they stand in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Class {
    /// Which prediction: 0 is the one at SEP.
    pub position: usize,
    /// The token that predicts, `d`; none at position 0, where SEP predicts.
    pub token: Option<Token>,
    /// The right answer, `y`.
    pub target: Token,
}

impl Class {
    /// How far the right answer is from the token that predicts; none at SEP.
    pub fn gap(&self) -> Option<Token> {
        self.token.map(|token| self.target - token)
    }
}
