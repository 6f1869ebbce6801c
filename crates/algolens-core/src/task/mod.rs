//! What is learnt: tasks and their datasets.

mod dataset;
mod inputs;
mod kind;
mod registry;
mod sorted_list;
mod spec;
mod targets;

pub use dataset::Dataset;
pub use inputs::Inputs;
pub use kind::TaskKind;
pub use registry::{Registry, TaskOfModel, check_task};
pub use sorted_list::SortedList;
pub use spec::{Options, TaskSpec};
pub use targets::{Right, RightView, Target, Targets, TargetsView};

use crate::{Error, Result, model::AttentionDir, random::Twister};
use serde::{Deserialize, Serialize};
use std::fmt::Debug;

/// A token's number in the vocabulary.
pub type Token = u32;

/// An algorithmic task: what a sequence looks like and what is to be predicted from it.
///
/// A whole *example* is a sequence of [`n_ctx`](Task::n_ctx) tokens; an *input* is the part of it that a user gives
/// (the unsorted list), from which [`complete`](Task::complete) makes the example.
pub trait Task: Debug + Send + Sync {
    /// The task by name and options, as checkpoints and results record it.
    fn spec(&self) -> TaskSpec;

    /// Tokens of an example.
    fn n_ctx(&self) -> usize;

    /// What each token is called; its length is the size of the vocabulary.
    fn token_labels(&self) -> Vec<String>;

    /// What each output class is called; the tokens, unless the task has classes of its own.
    fn output_labels(&self) -> Vec<String> {
        self.token_labels()
    }

    /// What each position of an example holds; all of it is input, unless the task says otherwise.
    fn roles(&self) -> Vec<Role> {
        vec![Role::Input; self.n_ctx()]
    }

    /// The input that a text is: tokens by their labels or numbers, parted by commas or blanks, unless the task has another
    /// way to write it.
    ///
    /// # Errors
    /// A text that is no sequence of tokens.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_tokens(text, &self.token_labels())
    }

    /// The positions whose logits are judged, ascending.
    fn predicted_positions(&self) -> Vec<usize>;

    /// What is right at each predicted position of a whole example, and what each prediction counts: `vec.into()` of the
    /// right classes, or an array `[1, predicted position, class]` of sets or distributions, weighted or not. The same kind
    /// for every example.
    fn targets(&self, example: &[Token]) -> Targets;

    /// The token that fills examples which are shorter than [`n_ctx`](Self::n_ctx), if there is one. A prediction at a
    /// position that holds it is never scored, whatever the targets' weights say, and it is no part of an input that is
    /// shown. To attention it is a token like any other: in a causal model nothing before it sees it.
    fn padding(&self) -> Option<Token> {
        None
    }

    /// All inputs by their numbers, where they can be counted: what [`complete`](Self::complete) takes.
    fn inputs(&self) -> Option<Inputs<'_>> {
        None
    }

    /// How the task's models attend, unless a recipe says otherwise.
    fn attention_dir(&self) -> AttentionDir {
        AttentionDir::Causal
    }

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

/// What a position of an example holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A token of the input, which a user gives.
    Input,
    /// A token that is the same in every example, such as SEP.
    Separator,
    /// A token that follows from the input.
    Answer,
}

/// The tokens of a text, by their labels or numbers, parted by commas or blanks.
///
/// # Errors
/// The first part that is neither.
pub fn parse_tokens(text: &str, labels: &[String]) -> Result<Vec<Token>> {
    let token = |part: &str| -> Result<Token> {
        let labelled = labels.iter().position(|label| label == part).and_then(|at| Token::try_from(at).ok());
        let unknown = || Error::invalid("list", "tokens parted by commas", format!("{part:?}"));
        labelled.or_else(|| part.parse().ok()).ok_or_else(unknown)
    };
    text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()).map(token).collect()
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
