//! What is learnt: tasks and their datasets.

mod dataset;
mod registry;
mod sorted_list;

pub use dataset::Dataset;
pub use registry::Registry;
pub use sorted_list::SortedList;

use crate::{Error, Result, random::Twister};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A token's number in the vocabulary.
pub type Token = u32;

/// An algorithmic task: what a sequence looks like and what is to be predicted from it.
///
/// A whole *example* is a sequence of [`n_ctx`](Task::n_ctx) tokens; an *input* is the part of it that a user gives
/// (the unsorted list), from which [`complete`](Task::complete) makes the example.
pub trait Task: Debug + Send + Sync {
    /// The task and its size, as checkpoints and results record it.
    fn spec(&self) -> TaskSpec;

    /// Tokens of an example.
    fn n_ctx(&self) -> usize;

    /// What each token is called; its length is the size of the vocabulary.
    fn token_labels(&self) -> Vec<String>;

    /// What each output class is called; the tokens, unless the task has classes of its own.
    fn output_labels(&self) -> Vec<String> {
        self.token_labels()
    }

    /// The positions whose logits are judged, ascending.
    fn predicted_positions(&self) -> Vec<usize>;

    /// The right class at each predicted position of a whole example.
    fn targets(&self, example: &[Token]) -> Vec<Token>;

    /// Writes a random example into `example`, `n_ctx` tokens long.
    fn generate(&self, rng: &mut Twister, example: &mut [Token]);

    /// Whether a sequence is a whole example of the task.
    ///
    /// # Errors
    /// Names the first thing that is wrong with it.
    fn validate(&self, example: &[Token]) -> Result<()>;

    /// The whole example that an input leads to.
    ///
    /// # Errors
    /// Names the first thing that is wrong with the input (its length, a duplicate, a value out of range).
    fn complete(&self, input: &[Token]) -> Result<Vec<Token>>;
}

/// A task by name and size: what a checkpoint stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum TaskSpec {
    /// [`SortedList`].
    SortedList {
        /// Values in a list.
        list_len: usize,
        /// The largest value; the smallest is 0.
        max_value: u32,
    },
}

impl TaskSpec {
    /// The post's task.
    pub const POST: Self = Self::SortedList { list_len: 10, max_value: 50 };

    /// The task itself.
    ///
    /// # Errors
    /// A size that the task does not have.
    pub fn build(&self) -> Result<Box<dyn Task>> {
        match *self {
            Self::SortedList { list_len, max_value } => Ok(Box::new(SortedList::new(list_len, max_value)?)),
        }
    }
}

/// One line: the tokens' labels.
pub fn labels_of(labels: &[String], tokens: &[Token]) -> Vec<String> {
    tokens.iter().map(|&t| labels.get(t as usize).cloned().unwrap_or_else(|| format!("?{t}"))).collect()
}

/// Whether every token is in a vocabulary of `d_vocab`.
///
/// # Errors
/// Names the first token that is not, and where it stands.
pub fn check_vocabulary<'a>(tokens: impl IntoIterator<Item = &'a Token>, d_vocab: usize) -> Result<()> {
    match tokens.into_iter().enumerate().find(|(_, token)| **token as usize >= d_vocab) {
        None => Ok(()),
        Some((at, token)) => Err(Error::invalid(format!("token {at}"), format!("a number below {d_vocab}"), token)),
    }
}
