//! The section of findings that every casebook with claims has.

use crate::{Item, Section, ShownAt, Study, Verdict};

/// The findings of a study, each with the figure or section that shows it, and more below them.
pub fn findings_section(study: &Study, shown_at: impl Fn(&str) -> &'static str, more: Vec<Item>) -> Section {
    let count = |verdict| study.findings.iter().filter(|finding| finding.verdict == verdict).count();
    let asked = study.findings.len() - count(Verdict::NotAsked);
    let holds = count(Verdict::Holds);
    let shown = |claim: &str| ShownAt { claim: claim.into(), at: shown_at(claim).into() };
    let claims = Item::Claims(study.findings.iter().map(|finding| shown(&finding.id)).collect());
    Section {
        id: "findings".into(),
        title: "Findings".into(),
        headline: format!("{holds} of {asked} hold"),
        caption: format!(
            "Of {asked} claims {holds} hold on this model and in no control that they must beat, {} hold as a control does, {} hold \
             partly and {} fail.",
            count(Verdict::HoldsAsControl),
            count(Verdict::Partly),
            count(Verdict::Fails)
        ),
        items: [vec![claims], more].concat(),
    }
}
