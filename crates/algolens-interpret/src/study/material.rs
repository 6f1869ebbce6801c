//! What a study is made on.

use super::labels::Labels;
use algolens_core::{
    Error, Result,
    model::Config,
    random,
    task::{Dataset, Role, Task, TaskSpec, Token, check_task},
};
use rand::seq::index;

/// What a study is made on: a task, whose examples are drawn, or data that a user brings.
#[derive(Clone, Copy, Debug)]
pub enum Material<'a> {
    /// A task.
    Task(&'a dyn Task),
    /// Examples, of which it is not known how they come about.
    Data(&'a Dataset),
}

impl Material<'_> {
    /// The task by name and options, if there is one.
    pub fn spec(&self) -> Option<TaskSpec> {
        match self {
            Self::Task(task) => Some(task.spec()),
            Self::Data(_) => None,
        }
    }

    /// Whether a model can be studied on it.
    ///
    /// # Errors
    /// A model that does not fit the task, or data without examples.
    pub fn check(&self, config: &Config) -> Result<()> {
        match self {
            Self::Task(task) => check_task(*task, config),
            Self::Data(data) if data.is_empty() => Err(Error::invalid("dataset", "at least one example", 0)),
            Self::Data(_) => Ok(()),
        }
    }

    /// Random examples of the task; of data so many different ones, in their order, or all if there are not so many.
    ///
    /// # Errors
    /// A task whose targets do not fit its own sizes.
    pub fn sample(&self, size: usize, seed: u32) -> Result<Dataset> {
        match self {
            Self::Task(task) => Dataset::generate(*task, size, &mut random::from_dataset_seed(seed)),
            Self::Data(data) if size >= data.len() => Ok((*data).clone()),
            Self::Data(data) => {
                let mut rng = random::stream(seed.into(), "examples of the data");
                let mut chosen = index::sample(&mut rng, data.len(), size).into_vec();
                chosen.sort_unstable();
                Ok(data.select(&chosen))
            }
        }
    }

    /// Examples other than those of `data`, to resample from: random ones of the next seed; of a user's examples, for each the
    /// next.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn other(&self, data: &Dataset, seed: u32) -> Result<Dataset> {
        match self {
            Self::Task(_) => self.sample(data.len(), seed.wrapping_add(1)),
            Self::Data(_) => Ok(data.select(&(1..data.len()).chain([0]).collect::<Vec<_>>())),
        }
    }

    /// What tokens, classes and positions are called; positions by number.
    pub fn labels(&self, config: &Config) -> Labels {
        let numbers = |count: usize| (0..count).map(|at| at.to_string()).collect::<Vec<_>>();
        let (tokens, classes) = match self {
            Self::Task(task) => (task.token_labels(), task.output_labels()),
            Self::Data(data) => (
                data.token_labels().to_vec(),
                match data.output_labels() {
                    labels if labels.len() == config.d_vocab_out => labels.to_vec(),
                    _ => numbers(config.d_vocab_out),
                },
            ),
        };
        Labels { tokens, classes, positions: numbers(config.n_ctx) }
    }

    /// The labels with positions of separators called by their tokens, as these are in `data`.
    pub(super) fn labels_with_separators(&self, config: &Config, data: &Dataset) -> Labels {
        let mut labels = self.labels(config);
        let Self::Task(task) = self else { return labels };
        for (at, _) in task.roles().iter().enumerate().filter(|(_, role)| **role == Role::Separator) {
            let token = data.tokens().get([0, at]).and_then(|token| labels.tokens.get(*token as usize));
            if let (Some(label), Some(token)) = (labels.positions.get_mut(at), token) {
                label.clone_from(token);
            }
        }
        labels
    }

    /// The part of an example that a user gives.
    pub fn input(&self, example: &[Token]) -> Vec<Token> {
        match self {
            Self::Task(task) => task.input(example),
            Self::Data(data) => example.iter().copied().filter(|token| Some(*token) != data.padding()).collect(),
        }
    }

    /// Whole examples of the given inputs.
    ///
    /// # Errors
    /// An input that is none of the task's; any input, where there is no task to complete it.
    pub fn examples(&self, inputs: &[Vec<Token>]) -> Result<Dataset> {
        match self {
            Self::Task(task) => Dataset::from_inputs(*task, inputs),
            Self::Data(data) if inputs.is_empty() => Ok(data.select(&[])),
            Self::Data(_) => Err(Error::invalid("an input to show", "a task that completes it", "data without one")),
        }
    }
}
