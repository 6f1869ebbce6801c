//! Claims about a model, measured and judged.

use serde::{Deserialize, Serialize};

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, from 0 to 1.
    Share,
    /// A number of things.
    Count,
    /// A token.
    Value,
    /// Logits, or scores before the softmax.
    Logits,
    /// A ratio of two numbers.
    Ratio,
    /// Cross-entropy, in nats.
    Nats,
    /// A probability.
    Probability,
    /// A share of right answers.
    Accuracy,
}

impl Unit {
    /// A number of this unit, in words.
    pub fn text(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.1} %", 100.0 * value),
            Self::Count | Self::Value => format!("{value:.0}"),
            Self::Logits if value != 0.0 && value.abs() < 0.01 => format!("{value:+.1e}"),
            Self::Logits => format!("{value:+.2}"),
            Self::Ratio => format!("{value:.2} times"),
            Self::Nats | Self::Probability => format!("{value:.3}"),
            Self::Accuracy => format!("{value:.4}"),
        }
    }
}

/// The verdict on a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The claim holds.
    Holds,
    /// The claim holds partly.
    Partly,
    /// The claim fails.
    Fails,
    /// The model has nothing to measure the claim on (a single head, lists that are too short).
    NotAsked,
}

/// A claim of the post with its measurement, its control and its verdict.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The claim's id, such as `head_order`.
    pub id: String,
    /// The claim, in a sentence.
    pub claim: String,
    /// The measure, in words.
    pub measure: String,
    /// The unit of the number.
    pub unit: Unit,
    /// The thresholds from which the claim holds and holds partly, in words.
    pub thresholds: String,
    /// The measured number; none where the model has nothing to measure it on.
    pub value: Option<f64>,
    /// Further numbers, in words.
    pub detail: String,
    /// The control: the number of a model of the same shape with random weights.
    pub control: Option<f64>,
    /// The smallest and the largest number among the model and those of other seeds, where there are such.
    pub spread: Option<[f64; 2]>,
    /// The verdict on the claim.
    pub verdict: Verdict,
}
