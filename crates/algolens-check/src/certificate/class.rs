//! Prediction classes of a sorting task.

use algolens_core::task::Token;
use serde::{Deserialize, Serialize};

/// A prediction class `(i, d, y)`: the predictions with the same position, current token and target.
///
/// Prediction `i` of a list is in the class if the list's sorted values have `y` at rank `i` and `d` just before it:
/// `i - 1` values are below `d`, the rest above `y`, and they stand in any order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Class {
    /// The position `i` of the prediction; 0 is the one at SEP.
    pub position: usize,
    /// The token that predicts, `d`; none at position 0, where SEP predicts.
    pub token: Option<Token>,
    /// The target `y`: the correct answer.
    pub target: Token,
}

impl Class {
    /// The gap from the token that predicts to the target; none at SEP.
    pub fn gap(&self) -> Option<Token> {
        self.token.map(|token| self.target - token)
    }
}
