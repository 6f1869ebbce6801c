//! The certificate format: what is proved of a model, with everything a checker needs to replay the proof.

mod class;
pub mod evidence;

pub use class::Class;

use algolens_core::{
    Error, Result,
    model::{Config, Model, processing::Step},
    provenance::Provenance,
    task::{TaskSpec, Token},
};
use serde::{Deserialize, Serialize};

/// A certificate: accuracy bounds and class statuses proved over all lists, with the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Version of this format.
    pub format: u32,
    /// The model it is about.
    pub model: Identity,
    /// Number of classes by status.
    pub classes: Tally<usize>,
    /// Their shares of all predictions.
    pub mass: Tally<f64>,
    /// Bounds of the share of correct predictions, over all lists.
    pub token_accuracy: Bracket,
    /// Bounds of the share of lists of which every prediction is correct: those that are sorted correctly.
    pub list_accuracy: Bracket,
    /// Number of lists drawn for the accuracies that are `sampled`.
    pub sampled_lists: usize,
    /// The worst case found, the list with the least margin of its target; none if no list was evaluated.
    pub worst: Option<Counterexample>,
    /// Logits by which an answer must exceed every other to count as correct or as wrong.
    pub slack: f64,
    /// The floor unit: logits (times σ) that a floor of 1 in the evidence stands for.
    pub step: f64,
    /// Seconds that the search took.
    pub seconds: f64,
    /// Oracle passes that the search made.
    pub work: u64,
    /// Claims about every class, by position, target and token.
    pub class_status: Vec<ClassStatus>,
    /// A counterexample of each refuted class, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterexamples: Option<Vec<Counterexample>>,
    /// Where it comes from; none in certificates of earlier versions. Nothing that is proved depends on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provenance: Option<Provenance>,
    /// The evidence: the bytes that [`evidence`] describes, class after class, deflated (zlib), in base 64.
    pub evidence: String,
}

/// Identity of the model that a certificate is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// SHA-256 of its config and weights: see [`Model::sha256`].
    pub sha256: String,
    /// The processing that the file's weights went through; empty if the weights are the file's.
    pub processing: Vec<Step>,
    /// Its task.
    pub task: TaskSpec,
    /// Its config.
    pub config: Config,
}

/// A number for each status, and their total.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally<N> {
    /// All classes.
    pub total: N,
    /// Classes of which every list is predicted correctly.
    pub certified: N,
    /// Classes of which some list is predicted wrong.
    pub refuted: N,
    /// Classes of which neither is proved.
    pub undecided: N,
}

/// Bounds of an accuracy over all lists, beside the accuracy of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bracket {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// The accuracy on lists drawn at random.
    pub sampled: f64,
}

/// Status of a class as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every list of the class is predicted correctly.
    Certified,
    /// Some list of the class is predicted wrong.
    Refuted,
    /// Neither is proved.
    Undecided,
}

/// Claims about a class: its status, and proved shares of its lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassStatus {
    /// The class's position.
    pub position: usize,
    /// The token that predicts; none at position 0.
    pub token: Option<Token>,
    /// The target: the correct answer.
    pub target: Token,
    /// Its share of all predictions.
    pub share: f64,
    /// Its status.
    pub status: Status,
    /// The share of the class's lists proved correct.
    pub right: f64,
    /// The share of the class's lists proved wrong.
    pub wrong: f64,
}

impl ClassStatus {
    /// The class.
    pub fn class(&self) -> Class {
        Class { position: self.position, token: self.token, target: self.target }
    }
}

/// A prediction with a small margin: a counterexample where the margin is negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterexample {
    /// The unsorted list.
    pub list: Vec<Token>,
    /// The position of the prediction.
    pub position: usize,
    /// The answer with the largest logit.
    pub predicted: Token,
    /// The target.
    pub expected: Token,
    /// The target's logit less the largest other.
    pub margin: f64,
}

impl Counterexample {
    /// The prediction of a list in a class, from its margin and its best wrong answer.
    pub fn new(list: Vec<Token>, class: Class, margin: f64, rival: Token) -> Self {
        let predicted = if margin < 0.0 { rival } else { class.target };
        Self { list, position: class.position, predicted, expected: class.target, margin }
    }
}

impl Certificate {
    /// The version this library writes and reads.
    pub const FORMAT: u32 = 1;
    /// Bytes that a certificate may have at most.
    pub const LARGEST: usize = 50 << 20;

    /// Checks that the certificate is of this format and about this model.
    ///
    /// # Errors
    /// Names what differs.
    pub fn check_model(&self, model: &Model) -> Result<()> {
        if self.format != Self::FORMAT {
            return Err(Error::invalid("certificate's format", Self::FORMAT.to_string(), self.format));
        }
        let found = model.sha256();
        if self.model.sha256 != found {
            return Err(Error::invalid("model", format!("weights with SHA-256 {}", self.model.sha256), found));
        }
        Ok(())
    }
}
