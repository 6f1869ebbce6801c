//! The post's claims as findings: each measured on a model and on its controls, and judged.

mod attention;
mod circuits;
mod evidence;
mod experiments;
mod gaps;
mod gathered;
mod heads;
mod runs;
mod scores;
mod sep;
mod triples;

pub use evidence::{Evidence, EvidenceOptions};
pub use experiments::{Repair, Run, Runs, ToZero};
pub use gathered::Gathered;

use crate::claims::{Case, Claim, Finding};

/// The claims of the post, in its order of subjects.
pub fn claims() -> impl Iterator<Item = &'static Claim<Evidence>> {
    [
        attention::CLAIMS,
        sep::CLAIMS,
        heads::CLAIMS,
        circuits::CLAIMS,
        scores::CLAIMS,
        gaps::CLAIMS,
        triples::CLAIMS,
        runs::CLAIMS,
    ]
    .into_iter()
    .flatten()
}

/// The findings of a model: every claim of the post, judged by its evidence and that of its controls.
pub fn findings(case: &Case<Evidence>) -> Vec<Finding> {
    claims().map(|claim| claim.finding(case)).collect()
}

#[cfg(test)]
mod tests;
