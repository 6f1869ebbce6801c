//! What is found of a claim: its number, its controls' numbers, and its verdict.

use super::{control::Control, unit::Unit};
use serde::{Deserialize, Serialize};

/// The verdict on a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The claim holds, and further than in every control that it must beat.
    Holds,
    /// The claim holds as it does in a control, so that it is no evidence.
    HoldsAsControl,
    /// The claim holds partly, or too few lists were measured to tell.
    Partly,
    /// The claim fails.
    Fails,
    /// The model has nothing to measure the claim on (a single head, lists that are too short), or lacks what the claim starts
    /// from.
    NotAsked,
}

impl Verdict {
    /// All verdicts: where numbers stand for them, it is these places.
    pub const ALL: [Self; 5] = [Self::Holds, Self::HoldsAsControl, Self::Partly, Self::Fails, Self::NotAsked];

    /// The verdict in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::HoldsAsControl => "holds, as a control does",
            Self::Partly => "holds partly",
            Self::Fails => "fails",
            Self::NotAsked => "not asked",
        }
    }
}

/// A claim with its measurement, its controls and its verdict.
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
    /// The number that is judged; none where the claim is not asked.
    pub value: Option<f64>,
    /// The number's 95 % interval over lists, where it is a rate over lists, or the difference or ratio of two.
    pub interval: Option<[f64; 2]>,
    /// Further numbers, in words; or why the claim is not asked.
    pub detail: String,
    /// The controls that the claim must beat.
    pub controls: Vec<ControlFinding>,
    /// The smallest and the largest number among the model and those of other seeds, where there are such.
    pub spread: Option<[f64; 2]>,
    /// The verdict on the claim.
    pub verdict: Verdict,
}

/// A claim's numbers on the models of one control.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ControlFinding {
    /// The control.
    pub control: Control,
    /// The number of each of its models of which the claim can be asked.
    pub values: Vec<f64>,
    /// Their mean; none where the claim can be asked of no model.
    pub mean: Option<f64>,
    /// Twice the standard deviation of these numbers; of a single one, half the width of its 95 % interval, which is as much.
    pub spread: Option<f64>,
    /// The verdict on the mean, by the thresholds alone.
    pub verdict: Verdict,
    /// True if the model's number is ahead of the mean by more than the spread, or there is no mean.
    pub beaten: bool,
}
