//! Which implementation runs a model.

use super::{Circuit, Engine, Plain, Table, Vectors};
use crate::{Error, Result, model::Config};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The implementations of [`Engine`] that there are; they give the same logits, losses and gradients up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// [`Circuit`]: one-layer attention-only models.
    Circuit,
    /// [`Table`]: models of every kind, once for each pair of a position and a token.
    Table,
    /// [`Plain`]: every model.
    Plain,
}

impl Backend {
    /// Every backend, fastest first.
    pub const ALL: [Self; 3] = [Self::Circuit, Self::Table, Self::Plain];

    /// The fastest backend that runs models of this config.
    pub fn best(config: &Config) -> Self {
        Self::ALL.into_iter().find(|backend| backend.check(config).is_ok()).unwrap_or(Self::Plain)
    }

    /// Whether the backend runs models of this config.
    ///
    /// # Errors
    /// Names what the backend does not cover.
    pub fn check(self, config: &Config) -> Result<()> {
        match self {
            Self::Circuit => Circuit::check(config),
            Self::Table => Table::check(config),
            Self::Plain => Ok(()),
        }
    }

    /// An engine of this backend. `vectors` says with which instructions; matrix products of some size, and
    /// all of [`Plain`]'s, choose their own.
    pub fn engine(self, vectors: Vectors) -> Box<dyn Engine> {
        match self {
            Self::Circuit => Box::new(Circuit::new(vectors)),
            Self::Table => Box::new(Table::new(vectors)),
            Self::Plain => Box::new(Plain::new()),
        }
    }

    /// `circuit`, `table` or `plain`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Circuit => "circuit",
            Self::Table => "table",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let names = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| Error::invalid("backend", format!("one of {}", names()), name))
    }
}
