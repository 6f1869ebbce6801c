//! What is said of a model beside its tensors, and by whom.

use super::{
    layout::declaration::Layout,
    settings::{Settings, shown},
};
use crate::{Error, Result, model::Config};
use serde::Serialize;
use std::{fmt, sync::Arc};

/// What is said of a model beside its file: what the file does not tell, by whom, and what of the file is meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// By the user.
    pub said: Settings,
    /// By a config file.
    pub config: Settings,
    /// Where in the file the state dict stands, where there are several: keys parted by dots, those of lists numbers.
    pub key: Option<String>,
    /// The names of tensors that are no weights, and are passed over; `*` stands for anything.
    pub ignore: Vec<String>,
    /// The layout of the state dict, where it is not to be found among [all](Layout::all).
    pub layout: Option<Layout>,
    /// What models of the task have.
    pub task: OfTask,
}

/// What models of a task have where nobody says otherwise, by the sizes of a model, from which the task may be told; nothing, by
/// default.
#[derive(Clone, Default)]
pub struct OfTask(Option<Arc<SettingsOfSizes>>);

type SettingsOfSizes = dyn Fn(&Config) -> Settings + Send + Sync;

impl OfTask {
    /// As a function says; of the config that it is given only the sizes are known.
    pub fn new(settings: impl Fn(&Config) -> Settings + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(settings)))
    }

    pub(super) fn settings(&self, config: &Config) -> Settings {
        self.0.as_ref().map_or_else(Settings::default, |settings| settings(config))
    }
}

impl PartialEq for OfTask {
    /// Whether they are one function.
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

impl fmt::Debug for OfTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "OfTask(…)" } else { "OfTask(nothing)" })
    }
}

impl From<Settings> for Hints {
    fn from(said: Settings) -> Self {
        Self { said, ..Self::default() }
    }
}

/// How a part of a config is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The file's tensors determine it.
    File,
    /// A config file says so.
    Config,
    /// The user said so.
    Flag,
    /// Models of the file's layout have it.
    Layout,
    /// Models of the task have it.
    Task,
    /// Nobody said: the usual value.
    Assumed,
}

impl Hints {
    /// What is said of one part, and by whom.
    ///
    /// # Errors
    /// A user who contradicts the config file.
    pub(super) fn get<V: Clone + PartialEq + Serialize>(
        &self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
    ) -> Result<Option<(V, Source)>> {
        match (part(&self.said), part(&self.config)) {
            (Some(said), Some(config)) if said != config => {
                Err(Error::invalid(what, format!("the config file's {}", shown(&config)), shown(&said)))
            }
            (Some(said), _) => Ok(Some((said, Source::Flag))),
            (None, Some(config)) => Ok(Some((config, Source::Config))),
            (None, None) => Ok(None),
        }
    }
}
