//! What is learnt: tasks and their datasets.

mod associative_recall;
mod balanced_brackets;
mod caesar;
mod count_unique;
mod cumulative_sum;
mod dataset;
mod dyck;
mod family;
mod first_unique;
mod group;
mod histogram;
mod induction;
mod input;
mod inputs;
mod kind;
mod longest_cycle;
mod max_of_list;
mod modular_arithmetic;
mod palindrome;
mod registry;
mod set_completion;
mod set_difference;
mod sorted_list;
mod spec;
mod sum;
mod targets;
mod trigrams;

pub use associative_recall::AssociativeRecall;
pub use balanced_brackets::BalancedBrackets;
pub use caesar::{Caesar, Level};
pub use count_unique::CountUnique;
pub use cumulative_sum::CumulativeSum;
pub use dataset::Dataset;
pub use dyck::Dyck;
pub use family::{Family, Member};
pub use first_unique::FirstUnique;
pub use group::Group;
pub use histogram::Histogram;
pub use induction::Induction;
pub use inputs::Inputs;
pub use kind::TaskKind;
pub use longest_cycle::LongestCycle;
pub use max_of_list::MaxOfList;
pub use modular_arithmetic::{ModularArithmetic, Operation};
pub use palindrome::Palindrome;
pub use registry::{Registry, TaskOfModel, check_task};
pub use set_completion::SetCompletion;
pub use set_difference::SetDifference;
pub use sorted_list::SortedList;
pub use spec::{Options, TaskSpec};
pub use sum::Sum;
pub use targets::{Right, RightView, Target, Targets, TargetsView};
pub use trigrams::Trigrams;

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

    /// The input that an example was made of: its tokens of [`Role::Input`] without padding, unless the task says otherwise.
    fn input(&self, example: &[Token]) -> Vec<Token> {
        let inputs = example.iter().zip(self.roles()).filter(|(_, role)| *role == Role::Input);
        inputs.map(|(token, _)| *token).filter(|token| Some(*token) != self.padding()).collect()
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
    /// shown. To attention it is a token like any other, unless it is the [`pad_token`](Self::pad_token): in a causal model
    /// nothing before it sees it.
    fn padding(&self) -> Option<Token> {
        None
    }

    /// The token that nobody attends to in the task's models, if there is one
    /// ([`Config::pad_token`](crate::model::Config::pad_token)).
    fn pad_token(&self) -> Option<Token> {
        None
    }

    /// What an example shares with others that a model may know the answer from: where some inputs are held out, those of one
    /// group stay together. Every example is alone, unless the task says otherwise.
    fn group(&self, example: &[Token]) -> Vec<Token> {
        example.to_vec()
    }

    /// All inputs by their numbers, where they can be counted: what [`complete`](Self::complete) takes.
    fn inputs(&self) -> Option<Inputs<'_>> {
        None
    }

    /// Whether the order of an input's tokens makes no difference: examples of permutations differ at positions of
    /// [`Role::Input`] only, and have the same targets and members of families. Models that know no positions then need not
    /// run every order.
    fn is_permutation_invariant(&self) -> bool {
        false
    }

    /// Families of inputs on which models of the task may differ; none, by default.
    fn families(&self) -> Vec<Family<'_>> {
        Vec::new()
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
