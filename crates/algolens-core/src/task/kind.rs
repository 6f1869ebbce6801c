//! Kinds of tasks: what makes a task of its options.

use super::{Options, Task, TaskSpec};
use crate::{Error, Result, model::Config, train::Recipe};

/// A kind of task that a [`Registry`](super::Registry) makes from options: each task of its kind has a [`TaskSpec`] of its name.
pub trait TaskKind: Task + Sized + 'static {
    /// The name in every [`TaskSpec`] of this kind.
    const NAME: &'static str;

    /// What its tasks are, in one line.
    const ABOUT: &'static str = "";

    /// The task that these options describe; those left out have the kind's defaults.
    ///
    /// # Errors
    /// Options of another type, or for which there is no such task.
    fn from_options(options: &mut Options) -> Result<Self>;

    /// The task of a spec of this kind.
    ///
    /// # Errors
    /// A spec of another kind, options that this one does not have or that are no task.
    fn of(spec: &TaskSpec) -> Result<Self> {
        if spec.name != Self::NAME {
            return Err(Error::invalid("task", Self::NAME, spec));
        }
        let mut options = Options::new(spec.options.clone());
        let task = Self::from_options(&mut options)?;
        options.finish(Self::NAME)?;
        Ok(task)
    }

    /// The task with all options at their defaults; its name alone where there is no such task.
    fn default_spec() -> TaskSpec {
        Self::of(&TaskSpec::new(Self::NAME)).map_or_else(|_| TaskSpec::new(Self::NAME), |task| task.spec())
    }

    /// The recipe that trains a model of the task: the post's, unless the kind has its own.
    fn recipe(&self) -> Recipe {
        Recipe { task: Some(self.spec()), ..Recipe::default() }
    }

    /// The task of this kind whose sizes a model has, if there is one: how a checkpoint that names no task is understood.
    fn fitting(_config: &Config) -> Option<Self> {
        None
    }
}
