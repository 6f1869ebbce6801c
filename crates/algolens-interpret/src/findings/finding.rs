//! Findings: every claim, judged by the evidence of a model.

use super::{
    circuits,
    claim::{Claim, Measured, Unit, Verdict},
    evidence::Evidence,
    heads, scores, sorting,
};
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
    /// The verdict on the claim.
    pub verdict: Verdict,
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
