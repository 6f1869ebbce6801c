//! The post's claims, each measured on a model, on a model of random weights, and judged.

mod circuits;
mod evidence;
mod experiments;
mod heads;
mod scores;
mod sorting;

pub use evidence::{Evidence, Options};
pub use experiments::{ToZero, WithoutDirectPath};

use serde::{Deserialize, Serialize};

/// A claim of the post, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// A short name.
    pub id: String,
    /// What is claimed, in a sentence.
    pub claim: String,
    /// How it is measured.
    pub measure: String,
    /// What the number is.
    pub unit: Unit,
    /// From where on the claim holds, and holds partly.
    pub thresholds: String,
    /// The number; none where the model has nothing to measure it on.
    pub value: Option<f64>,
    /// More of what was found.
    pub detail: String,
    /// The number of a model of the same shape with random weights.
    pub control: Option<f64>,
    /// The smallest and the largest number among the model and those of other seeds, where there are such.
    pub spread: Option<[f64; 2]>,
    /// What follows.
    pub verdict: Verdict,
}

/// What a finding's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Of 1.
    Share,
    /// A number of things.
    Count,
    /// A token.
    Value,
    /// Logits, or scores before the softmax.
    Logits,
    /// One number divided by another.
    Ratio,
}

/// What becomes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It holds partly.
    Partly,
    /// It fails.
    Fails,
    /// The model has nothing to ask it of (a single head, lists that are too short).
    NotAsked,
}

/// What was measured of one claim.
struct Measured {
    value: Option<f64>,
    verdict: Verdict,
    detail: String,
}

impl Measured {
    /// A number that is better the larger it is.
    fn at_least(value: f64, [holds, partly]: [f64; 2], detail: impl Into<String>) -> Self {
        Self::judged(value, value >= holds, value >= partly, detail)
    }

    /// A number with its own conditions.
    fn judged(value: f64, holds: bool, partly: bool, detail: impl Into<String>) -> Self {
        let verdict = match (holds, partly) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Partly,
            _ => Verdict::Fails,
        };
        Self { value: Some(value), verdict, detail: detail.into() }
    }

    /// Nothing to measure, for this reason.
    fn not_asked(why: &str) -> Self {
        Self { value: None, verdict: Verdict::NotAsked, detail: why.into() }
    }
}

/// A claim: how it is worded and measured.
struct Claim {
    id: &'static str,
    claim: &'static str,
    measure: &'static str,
    unit: Unit,
    thresholds: &'static str,
    measured: fn(&Evidence) -> Measured,
}

/// Judges every claim of the post by the evidence of a model, beside that of a control of random weights and that of models
/// of other seeds.
pub fn findings(evidence: &Evidence, control: &Evidence, others: &[Evidence]) -> Vec<Finding> {
    let claims = [heads::CLAIMS, circuits::CLAIMS, scores::CLAIMS, sorting::CLAIMS].into_iter().flatten();
    let judge = |claim: &Claim| {
        let Measured { value, verdict, detail } = (claim.measured)(evidence);
        let mut values: Vec<f64> = others.iter().filter_map(|other| (claim.measured)(other).value).collect();
        values.extend(value);
        let spread = [f64::INFINITY, f64::NEG_INFINITY];
        let spread = values.iter().fold(spread, |[low, high], value| [low.min(*value), high.max(*value)]);
        Finding {
            id: claim.id.into(),
            claim: claim.claim.into(),
            measure: claim.measure.into(),
            unit: claim.unit,
            thresholds: claim.thresholds.into(),
            value,
            detail,
            control: (claim.measured)(control).value,
            spread: (values.len() > 1).then_some(spread),
            verdict,
        }
    };
    claims.map(judge).collect()
}

/// A share as a reader has it.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
