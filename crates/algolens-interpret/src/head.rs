//! Attention heads by block and index.

use super::support::check_heads;
use algolens_core::{Error, Result, model::Config};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// An attention head: its block and its index there, written `layer.head` (`0.1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Head {
    /// Index of the block.
    pub layer: usize,
    /// Index of the head in the block.
    pub head: usize,
}

impl Head {
    /// All heads of a model, block by block.
    pub fn all(config: &Config) -> Vec<Self> {
        (0..config.n_layers).flat_map(|layer| Self::of_layer(config, layer)).collect()
    }

    /// All heads of one block.
    pub fn of_layer(config: &Config, layer: usize) -> Vec<Self> {
        (0..config.n_heads).map(|head| Self { layer, head }).collect()
    }

    /// Checks that a model has the head.
    ///
    /// # Errors
    /// A head that the model does not have.
    pub fn check(self, config: &Config) -> Result<()> {
        if self.layer < config.n_layers && self.head < config.n_heads {
            return Ok(());
        }
        check_heads(config)?;
        let last = Self { layer: config.n_layers - 1, head: config.n_heads - 1 };
        Err(Error::invalid("head", format!("0.0 to {last}"), self))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer, self.head)
    }
}

impl FromStr for Head {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (layer, head) = text.split_once('.')?;
            Some(Self { layer: layer.parse().ok()?, head: head.parse().ok()? })
        };
        parse().ok_or_else(|| Error::invalid("head", "layer.head, such as 0.1", text))
    }
}

impl From<Head> for String {
    fn from(head: Head) -> Self {
        head.to_string()
    }
}

impl TryFrom<String> for Head {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
