//! The check of a whole certificate.

use super::{
    accuracy::{self, Proved},
    bytes,
    circuits::Circuits,
    claims,
    class::{Class, Counts},
    context::Context,
    first::Certified,
    measured::{self, Measured},
    replay::{Lists, Replay},
};
use crate::certificate::{Certificate, ClassStatus};
use algolens_core::{
    Error, Result,
    engine::{Engine, Vectors},
    model::Model,
    observer::Observer,
    parallel,
};
use serde::Serialize;

/// Result of a check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checked {
    /// The accuracies that the evidence proves.
    pub proved: Proved,
    /// The engine's largest deviation from the real logits that the proof is about.
    pub measured: Measured,
}

/// Progress of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Classes checked.
    pub done: usize,
    /// Classes in all.
    pub of: usize,
}

/// Verifies a certificate against a model, whose weights went through the processing that the certificate names.
///
/// The certificate may be anything: it is refused unless it is about this model, its classes are the task's, every
/// claim of its evidence is verified, and nothing it says is more than what is verified. A class that it calls refuted,
/// but of which neither the evidence nor a list in the certificate shows a wrong prediction, counts as undecided in
/// what is proved.
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
    let (task, sizes) = claims::check_head(certificate, model)?;
    let counts = Counts::new(sizes)?;
    let classes = claims::check_classes(certificate, &counts)?;
    let circuits = Circuits::new(model, counts.sizes)?;
    let shown = claims::check_lists(certificate, &circuits, &*task)?;
    let certified = Certified::of(&certificate.class_status);
    let context = Context {
        certified: &certified,
        circuits: &circuits,
        counts: &counts,
        slack: certificate.slack,
        floor_unit: certificate.step,
        vectors: Vectors::best(),
    };
    let bytes = bytes::unpack(&certificate.evidence, bytes::MOST)?;
    let lists = replay(context, &classes, &certificate.class_status, &bytes, observer)?;
    let statuses = classes.iter().zip(lists).map(|(class, lists)| {
        let shown = shown.contains(&(class.position, class.token, class.target));
        (*class, lists, accuracy::status(lists, shown))
    });
    let proved = accuracy::add_up(&counts, &statuses.collect::<Vec<_>>());
    claims::check_totals(certificate, &proved)?;
    let measured = measured::measure(&circuits, &*task, model, engine, certificate.slack)?;
    Ok(Checked { proved, measured })
}

/// The lists proved of every class, by replaying its proof; an error where the certificate claims more.
fn replay(
    context: Context,
    classes: &[Class],
    claimed: &[ClassStatus],
    bytes: &[u8],
    observer: &mut dyn Observer<Progress>,
) -> Result<Vec<Lists>> {
    /// Classes between two calls of the observer.
    const BATCH: usize = 128;
    let mut reader = bytes::Reader::new(bytes);
    let trees: Vec<_> = classes.iter().map(|_| reader.class(context.circuits.heads)).collect::<Result<_>>()?;
    if !reader.is_empty() {
        return Err(Error::invalid("evidence", format!("{} classes", classes.len()), "more bytes"));
    }
    let mut all = Vec::with_capacity(classes.len());
    let work: Vec<_> = classes.iter().zip(claimed).zip(trees).collect();
    for batch in work.chunks(BATCH) {
        let mut results: Vec<Option<Result<Lists>>> = batch.iter().map(|_| None).collect();
        let pieces = batch.iter().zip(&mut results).collect();
        parallel::for_each(pieces, |(((class, claimed), tree), result): (&((&Class, _), &[u8]), &mut Option<_>)| {
            let lists = Replay::new(context, **class).run(tree);
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
