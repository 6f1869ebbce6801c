//! Checks a certificate: replays its proof with code of its own.
//!
//! Nothing is taken over from the search that found the proof, nor from an engine. From the weights, tables with bounds of
//! their rounding are computed (`circuits`, `bounded`); a class's rows get weights and values between bounds (`attention`);
//! each claim of the evidence (`replay`, `contests`) is a sum over a list's rows, which is rounded down to whole units
//! (`units`) and minimized exactly over all lists of a region (`recursion`, `passes`). What is struck out as wrong, or left
//! open, is counted (`count`), and added up (`accuracy`). So whatever the evidence says, what [`check`] returns as proved is
//! true of the model's weights in real numbers; [`Measured`] says how far an engine's logits are from those. At last the
//! certificate's own words are held against what is proved (`claims`).

mod accuracy;
mod attention;
mod bounded;
mod bytes;
pub mod certificate;
mod circuits;
mod claims;
mod class;
mod contests;
mod count;
mod first;
mod logits;
mod measured;
mod passes;
mod recursion;
mod replay;
#[cfg(test)]
mod tests;
mod units;

pub use accuracy::{Bounds, OfPosition, Proved};
pub use measured::Measured;

use crate::certificate::{Certificate, ClassStatus};
use algolens_core::{
    Error, Result,
    engine::{Engine, Vectors},
    model::Model,
    observer::Observer,
    parallel,
};
use circuits::Circuits;
use class::{Class, Counts, Sizes};
use first::Certified;
use replay::{Lists, Replay, Terms};
use serde::Serialize;

/// What a check comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// What the evidence proves.
    pub proved: Proved,
    /// How far an engine's logits are from those that the proof is about.
    pub measured: Measured,
}

/// How far a check is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Classes that are checked.
    pub done: usize,
    /// All of them.
    pub of: usize,
}

/// Checks a certificate against a model, whose weights went through the steps that the certificate names.
///
/// The certificate may be anything: it is refused unless it is about this model, its classes are the task's, every claim of
/// its evidence is verified, and nothing it says is more than what is verified. A class that it calls refuted, but of
/// which neither the evidence nor a list in the certificate shows a wrong prediction, counts as undecided in what is
/// proved.
///
/// # Errors
/// What the certificate says and what was found instead; models that no proof is about; an engine whose logits are not
/// within the certificate's slack; [`Error::Cancelled`] if the observer breaks.
pub fn check(
    certificate: &Certificate,
    model: &Model,
    engine: &dyn Engine,
    observer: &mut dyn Observer<Progress>,
) -> Result<Checked> {
    let task = claims::check_head(certificate, model)?;
    let counts = Counts::new(Sizes::of(&task)?)?;
    let classes = claims::check_classes(certificate, &counts)?;
    let circuits = Circuits::new(model, counts.sizes)?;
    let shown = claims::check_lists(certificate, &circuits, &task)?;
    let certified = Certified::of(&certificate.class_status);
    let terms = Terms {
        certified: &certified,
        circuits: &circuits,
        counts: &counts,
        slack: certificate.slack,
        step: certificate.step,
        vectors: Vectors::best(),
    };
    let bytes = bytes::unpack(&certificate.evidence, bytes::MOST)?;
    let lists = replay(terms, &classes, &certificate.class_status, &bytes, observer)?;
    let statuses = classes.iter().zip(lists).map(|(class, lists)| {
        let shown = shown.contains(&(class.position, class.token, class.target));
        (*class, lists, accuracy::status(lists, shown))
    });
    let proved = accuracy::add_up(&counts, &statuses.collect::<Vec<_>>());
    claims::check_totals(certificate, &proved)?;
    let measured = measured::measure(&circuits, &task, model, engine, certificate.slack)?;
    Ok(Checked { proved, measured })
}

/// Replays the proof of every class, and holds what is said of it against that.
fn replay(
    terms: Terms,
    classes: &[Class],
    claimed: &[ClassStatus],
    bytes: &[u8],
    observer: &mut dyn Observer<Progress>,
) -> Result<Vec<Lists>> {
    /// Classes between two calls of the observer.
    const BATCH: usize = 128;
    let mut reader = bytes::Reader::new(bytes);
    let trees: Vec<_> = classes.iter().map(|_| reader.class(terms.circuits.heads)).collect::<Result<_>>()?;
    if !reader.is_empty() {
        return Err(Error::invalid("evidence", format!("{} classes", classes.len()), "more bytes"));
    }
    let mut all = Vec::with_capacity(classes.len());
    let work: Vec<_> = classes.iter().zip(claimed).zip(trees).collect();
    for batch in work.chunks(BATCH) {
        let mut results: Vec<Option<Result<Lists>>> = batch.iter().map(|_| None).collect();
        let pieces = batch.iter().zip(&mut results).collect();
        parallel::for_each(pieces, |(((class, claimed), tree), result): (&((&Class, _), &[u8]), &mut Option<_>)| {
            let lists = Replay::new(terms, **class).run(tree);
            *result = Some(lists.and_then(|lists| claims::check_class(claimed, class, lists).map(|()| lists)));
        });
        for result in results {
            all.push(result.expect("every piece was worked on")?);
        }
        if observer.on(Progress { done: all.len(), of: classes.len() }).is_break() {
            return Err(Error::Cancelled);
        }
    }
    Ok(all)
}
