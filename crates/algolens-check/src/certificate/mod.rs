//! What a proof comes to, and everything a checker needs to replay it.

mod class;
pub mod evidence;

pub use class::Class;

use algolens_core::{
    Error, Result,
    model::{Config, Model, processing::Step},
    task::{TaskSpec, Token},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A certificate: what is proved of a model's predictions on every list, and the evidence.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The version of this format.
    pub format: u32,
    /// Which model it is about.
    pub model: Identity,
    /// Classes by status.
    pub classes: Tally<usize>,
    /// The share of all predictions that these classes have.
    pub mass: Tally<f64>,
    /// Bounds of the share of predictions that are right, over all lists.
    pub token_accuracy: Bracket,
    /// Bounds of the share of lists of which every prediction is right: those that are sorted right.
    pub list_accuracy: Bracket,
    /// How many lists were drawn for the accuracies that are `sampled`.
    pub sampled_lists: usize,
    /// The worst list that was found, by the margin of its right answer; none if no list was looked at.
    pub worst: Option<Counterexample>,
    /// Logits by which an answer must be above every other to count as right or as wrong.
    pub slack: f64,
    /// The unit of the floors in the evidence.
    pub step: f64,
    /// How long the search took.
    pub seconds: f64,
    /// How much was worked: passes of the oracle.
    pub work: u64,
    /// Every class.
    pub class_status: Vec<ClassStatus>,
    /// For each refuted class a list that shows it, if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counterexamples: Option<Vec<Counterexample>>,
    /// The bytes that [`evidence`] describes, class after class, deflated (zlib), in base 64.
    pub evidence: String,
}

/// The model that a certificate is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// Of its config and weights: see [`digest`].
    pub sha256: String,
    /// The processing steps the file's weights went through before; none: the weights are the file's.
    pub processing: Vec<Step>,
    /// What it sorts.
    pub task: TaskSpec,
    /// Its shape.
    pub config: Config,
}

/// A number for each status, and in all where it is a count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally<N> {
    /// All classes.
    pub total: N,
    /// Every list of the class is predicted right.
    pub certified: N,
    /// Some list of the class is predicted wrong.
    pub refuted: N,
    /// Neither is known.
    pub undecided: N,
}

/// Bounds of an accuracy over all lists, and what a sample of lists has.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bracket {
    /// At least this share is right.
    pub lower: f64,
    /// At most this share is right.
    pub upper: f64,
    /// The share that is right among lists drawn at random.
    pub sampled: f64,
}

/// What is known of a class as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every list of the class is predicted right.
    Certified,
    /// Some list of the class is predicted wrong.
    Refuted,
    /// Neither is known.
    Undecided,
}

/// A class and its status.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassStatus {
    /// The class's position.
    pub position: usize,
    /// The token that predicts; none at position 0.
    pub token: Option<Token>,
    /// The right answer.
    pub target: Token,
    /// Its share of all predictions.
    pub share: f64,
    /// What is known of it.
    pub status: Status,
    /// The share of the class's lists that are right for sure.
    pub right: f64,
    /// The share of the class's lists that are wrong for sure.
    pub wrong: f64,
}

impl ClassStatus {
    /// The class.
    pub fn class(&self) -> Class {
        Class { position: self.position, token: self.token, target: self.target }
    }
}

/// A list that is predicted wrong, or least right.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counterexample {
    /// The unsorted list.
    pub list: Vec<Token>,
    /// Which prediction.
    pub position: usize,
    /// The class with the largest logit.
    pub predicted: Token,
    /// The right class.
    pub expected: Token,
    /// The right answer's logit less the largest other.
    pub margin: f64,
}

impl Counterexample {
    /// The prediction of a list's class, by its margin and its best wrong answer.
    pub fn new(list: Vec<Token>, class: Class, margin: f64, rival: Token) -> Self {
        let predicted = if margin < 0.0 { rival } else { class.target };
        Self { list, position: class.position, predicted, expected: class.target, margin }
    }
}

impl Certificate {
    /// The version this library writes and reads.
    pub const FORMAT: u32 = 1;
    /// Certificates stay under this many bytes.
    pub const LARGEST: usize = 50 << 20;

    /// Whether the certificate is about this model.
    ///
    /// # Errors
    /// Names what differs.
    pub fn check_model(&self, model: &Model) -> Result<()> {
        if self.format != Self::FORMAT {
            return Err(Error::invalid("certificate's format", Self::FORMAT.to_string(), self.format));
        }
        let found = digest(model);
        if self.model.sha256 != found {
            return Err(Error::invalid("model", format!("weights with SHA-256 {}", self.model.sha256), found));
        }
        Ok(())
    }
}

/// SHA-256 of a model's config (as JSON) and of its weights (f32, little-endian, in the layout's order), in hexadecimal.
pub fn digest(model: &Model) -> String {
    let config = serde_json::to_vec(model.config()).expect("a config is plain data");
    let mut hash = Sha256::new().chain_update(config);
    model.params.values().iter().for_each(|weight| hash.update(weight.to_le_bytes()));
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
        text
    })
}
