//! Casebooks that judge claims by evidence of their own.

use super::findings::findings_section;
use crate::{
    Case, Study, Subject,
    claims::{Claim, Control, Gathered, random_weights},
};
use algolens_core::{
    Result,
    task::{Dataset, Task},
};
use std::collections::BTreeSet;

/// Examples of the evaluation data that a control is asked about.
const OF_CONTROL: usize = 200;

/// The stage of such a casebook.
pub const STAGES: &[&str] = &["claims, beside controls"];

/// Judges claims by the evidence of the model, of random weights and of other seeds, and writes the findings into a study, each
/// with the figure or section that `shown_at` names, or else with the predictions. `gather` is given the evaluation data; for a control, the first of it.
///
/// # Errors
/// A model that is not of the task, or what `gather` returns.
pub fn judge<E: Send>(
    case: &mut Case,
    study: &mut Study,
    task: &dyn Task,
    claims: &[Claim<E>],
    gather: impl Fn(Subject, &Dataset) -> Result<E> + Sync,
    shown_at: impl Fn(&str) -> &'static str,
) -> Result<()> {
    let Case { subject, data, processing, others, .. } = *case;
    (case.next_stage)()?;
    let few = data.select(&(0..data.len().min(OF_CONTROL)).collect::<Vec<_>>());
    let controls = [(Control::RandomWeights, random_weights(subject.model, processing)?)];
    let gathered = Gathered::of(subject, task, &controls, others, |subject, control| {
        gather(subject, if control.is_some() { &few } else { data })
    })?;
    study.findings = gathered.findings(claims, study.evaluation.token_accuracy);
    let anchors: BTreeSet<String> = study.anchors().collect();
    let shown_at = |claim: &str| if anchors.contains(shown_at(claim)) { shown_at(claim) } else { "predictions" };
    study.sections.push(findings_section(study, shown_at, Vec::new()));
    Ok(())
}
