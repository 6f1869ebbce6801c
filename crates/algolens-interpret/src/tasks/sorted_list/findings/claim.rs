//! A claim, and its measurement on a model with unit and verdict.

use super::evidence::Evidence;
use crate::claims::{Unit, Verdict};

/// The measurement of one claim on one model, judged.
pub(super) struct Measured {
    pub value: Option<f64>,
    pub verdict: Verdict,
    pub detail: String,
}

impl Measured {
    /// A number that holds from the first threshold on, and partly from the second.
    pub fn at_least(value: f64, [holds, partly]: [f64; 2], detail: impl Into<String>) -> Self {
        Self::judged(value, value >= holds, value >= partly, detail)
    }

    /// A number with conditions of its own.
    pub fn judged(value: f64, holds: bool, partly: bool, detail: impl Into<String>) -> Self {
        let verdict = match (holds, partly) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Partly,
            _ => Verdict::Fails,
        };
        Self { value: Some(value), verdict, detail: detail.into() }
    }

    /// No number, and the reason why.
    pub fn not_asked(why: &str) -> Self {
        Self { value: None, verdict: Verdict::NotAsked, detail: why.into() }
    }
}

/// A claim: its wording, and the measure that judges it.
pub(super) struct Claim {
    pub id: &'static str,
    pub claim: &'static str,
    pub measure: &'static str,
    pub unit: Unit,
    pub thresholds: &'static str,
    pub measured: fn(&Evidence) -> Measured,
}

/// A share in percent, with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
