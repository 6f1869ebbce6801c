//! What a sweep can ask of the program that makes it.

use algolens::{
    Error, Result,
    interpret::{Casebook, Casebooks},
    task::{Registry, Task, TaskSpec},
    train::Recipe,
};
use std::sync::Arc;

/// The tasks and casebooks that a sweep's runs may be about.
#[derive(Clone, Debug)]
pub enum Program {
    /// Those that are known by name.
    Known(Registry, Casebooks),
    /// One task that no registry knows.
    Own(Arc<dyn Task>),
}

impl Program {
    /// The task of a spec.
    ///
    /// # Errors
    /// A name that no task has, or options that it does not have.
    pub fn task(&self, spec: &TaskSpec) -> Result<Arc<dyn Task>> {
        match self {
            Self::Known(registry, _) => registry.task(spec),
            Self::Own(task) if task.spec() == *spec => Ok(task.clone()),
            Self::Own(task) => Err(Error::invalid("task", format!("{}, the task that is given", task.spec()), spec)),
        }
    }

    /// The recipe that trains a model of the task of a spec; of a task that no registry knows the default.
    ///
    /// # Errors
    /// As [`task`](Self::task).
    pub fn recipe(&self, spec: &TaskSpec) -> Result<Recipe> {
        match self {
            Self::Known(registry, _) => registry.recipe(spec),
            Self::Own(task) => Ok(Recipe { task: Some(task.spec()), ..Recipe::default() }),
        }
    }

    /// The casebook of a task, if there is one.
    ///
    /// # Errors
    /// A task that has the name of a casebook's, but other options.
    pub fn casebook(&self, task: &dyn Task) -> Result<Option<Arc<dyn Casebook>>> {
        match self {
            Self::Known(_, casebooks) => casebooks.of(task),
            Self::Own(_) => Ok(None),
        }
    }
}
