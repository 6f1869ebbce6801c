//! A certificate of `algolens certify` as the page shows it.

use crate::{check::read_certificate, load::Opened};
use algolens::{
    Error, Result,
    check::certificate::{Bracket, Certificate, ClassStatus},
    engine::Plain,
    interpret::{Subject, attention_rows},
    prove::Classes,
    task::Token,
};
use algolens_report::Proof;
use std::path::Path;

/// The certificate in a file, with the attention of the model's heads on its counterexamples.
pub fn read(path: &Path, opened: &Opened) -> Result<Proof> {
    let certificate = read_certificate(path)?;
    on_page(certificate, opened).map_err(|error| Error::InFile { path: path.into(), error: Box::new(error) })
}

/// Bounds of the share of lists that are right.
pub fn bounds(proof: &Proof) -> [f64; 2] {
    let accuracy = proof.certificate.list_accuracy;
    [accuracy.lower, accuracy.upper]
}

/// A certificate of a model, with the attention of the model's heads on its counterexamples.
pub fn on_page(certificate: Certificate, opened: &Opened) -> Result<Proof> {
    let processed;
    let model = if certificate.model.processing.is_empty() {
        &opened.model
    } else {
        processed = opened.model.process().model;
        &processed
    };
    certificate.check_model(model)?;
    let Bracket { lower, upper, .. } = certificate.list_accuracy;
    if !(0.0 <= lower && lower <= upper && upper <= 1.0) {
        let found = format!("{lower} to {upper}");
        return Err(Error::invalid("certificate's list_accuracy", "bounds of a share", found));
    }
    let task = opened.task()?;
    if certificate.model.task != task.spec() {
        return Err(Error::invalid("certificate's task", task.spec().to_string(), certificate.model.task));
    }
    let classes = Classes::of(&*task)?;
    if !certificate.class_status.iter().map(ClassStatus::class).eq(classes.all().iter().copied()) {
        let expected = format!("the task's {} in order", classes.all().len());
        return Err(Error::invalid("certificate's classes", expected, "others"));
    }
    let counterexamples = certificate.counterexamples.as_deref().unwrap_or_default();
    let wrong: Vec<(&[Token], usize)> = counterexamples.iter().map(|wrong| (&wrong.list[..], wrong.position)).collect();
    let attention = attention_rows(Subject { model, engine: &Plain::new() }, &*task, &wrong)?;
    Ok(Proof { certificate, attention })
}
