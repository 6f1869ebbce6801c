//! Findings: every claim, judged by the evidence of a model.

use super::{
    circuits,
    claim::{Claim, Measured},
    evidence::Evidence,
    heads, scores, sorting,
};
use crate::claims::Finding;

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
