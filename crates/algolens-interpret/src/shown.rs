//! The tokens and classes that maps over the vocabulary go over.

use algolens_core::{Error, Result, model::Config, task::Token};
use serde::{Deserialize, Serialize};

/// The tokens and classes that maps over the vocabulary go over, in the order of their axes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Tokens: the axes of sources and destinations.
    pub tokens: Vec<Token>,
    /// Output classes: the axes of predictions.
    pub classes: Vec<Token>,
}

impl Shown {
    /// The whole vocabulary and every class.
    pub fn all(config: &Config) -> Self {
        Self { tokens: first(config.d_vocab), classes: first(config.d_vocab_out) }
    }

    /// Whether these are all, in their order.
    pub fn is_all(&self, config: &Config) -> bool {
        *self == Self::all(config)
    }

    /// These, and of either of which there are none, the `usual` ones; where classes are tokens, they follow the tokens.
    pub fn or(self, usual: Self, classes_are_tokens: bool) -> Self {
        let tokens = if self.tokens.is_empty() { usual.tokens } else { self.tokens };
        let classes = match self.classes {
            asked if !asked.is_empty() => asked,
            _ if classes_are_tokens => tokens.clone(),
            _ => usual.classes,
        };
        Self { tokens, classes }
    }

    /// The place of a token on an axis.
    pub fn place_of_token(&self, token: Token) -> Option<usize> {
        self.tokens.iter().position(|shown| *shown == token)
    }

    /// The place of a class on an axis.
    pub fn place_of_class(&self, class: Token) -> Option<usize> {
        self.classes.iter().position(|shown| *shown == class)
    }

    /// Checks that a model has all of these, and each is there once.
    ///
    /// # Errors
    /// Names the first that is not.
    pub fn check(&self, config: &Config) -> Result<()> {
        check_each("token to show", &self.tokens, config.d_vocab)?;
        check_each("class to show", &self.classes, config.d_vocab_out)
    }
}

/// The first numbers.
pub(super) fn first(count: usize) -> Vec<Token> {
    (0..count as Token).collect()
}

/// Checks that numbers are below a bound, and each is there once.
pub(super) fn check_each(what: &str, numbers: &[Token], bound: usize) -> Result<()> {
    let mut seen = vec![false; bound];
    for &number in numbers {
        match seen.get_mut(number as usize) {
            None => return Err(Error::invalid(what, format!("below {bound}"), number)),
            Some(true) => return Err(Error::invalid(what, "each once", format!("{number} twice"))),
            Some(unseen) => *unseen = true,
        }
    }
    Ok(())
}
