//! What a study calls tokens, classes and positions.

use serde::{Deserialize, Serialize};

/// What tokens, classes and positions are called.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// Tokens.
    pub tokens: Vec<String>,
    /// Output classes.
    pub classes: Vec<String>,
    /// Positions.
    pub positions: Vec<String>,
}

impl Labels {
    /// Whether classes are called what tokens are: whether answers are tokens.
    pub fn classes_are_tokens(&self) -> bool {
        self.tokens == self.classes
    }
}
