//! The post's claims as findings: each measured on a model and on a control of random weights, and judged.

mod circuits;
mod evidence;
mod experiments;
mod heads;
mod scores;
mod sorting;

pub use evidence::{Evidence, EvidenceOptions};
pub use experiments::{ToZero, WithoutDirectPath};

use serde::{Deserialize, Serialize};

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
    /// What follows for the claim.
    pub verdict: Verdict,
}

/// The unit of a finding's number.
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

/// The measurement of one claim on one model, judged.
struct Measured {
    value: Option<f64>,
    verdict: Verdict,
    detail: String,
}

impl Measured {
    /// A number that holds from the first threshold on, and partly from the second.
    fn at_least(value: f64, [holds, partly]: [f64; 2], detail: impl Into<String>) -> Self {
        Self::judged(value, value >= holds, value >= partly, detail)
    }

    /// A number with conditions of its own.
    fn judged(value: f64, holds: bool, partly: bool, detail: impl Into<String>) -> Self {
        let verdict = match (holds, partly) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Partly,
            _ => Verdict::Fails,
        };
        Self { value: Some(value), verdict, detail: detail.into() }
    }

    /// No number, and the reason why.
    fn not_asked(why: &str) -> Self {
        Self { value: None, verdict: Verdict::NotAsked, detail: why.into() }
    }
}

/// A claim: its wording, and the measure that judges it.
struct Claim {
    id: &'static str,
    claim: &'static str,
    measure: &'static str,
    unit: Unit,
    thresholds: &'static str,
    measured: fn(&Evidence) -> Measured,
}

/// The findings of a model: every claim of the post judged by its evidence, beside that of a control of random weights and of
/// models of other seeds.
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

/// A share in percent, with one decimal.
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
