//! A report: everything that a page is made from.

use crate::{ReportError, proof};
use algolens::{
    check::certificate::Certificate,
    interpret::{Arrays, AttentionRow, Section, Study},
};
use std::borrow::Cow;

/// A report: a study, and a proof about the model.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The study.
    pub study: &'a Study,
    /// The study's arrays.
    pub arrays: &'a Arrays,
    /// A proof about the model, if there is one.
    pub proof: Option<&'a Proof>,
}

impl<'a> Report<'a> {
    /// The sections of the page: the study's, and the proof's.
    pub(crate) fn sections(&self) -> Vec<Cow<'a, Section>> {
        let sections = self.study.sections.iter().map(Cow::Borrowed);
        sections.chain(self.proof.map(|proof| Cow::Owned(proof::section(&proof.certificate)))).collect()
    }

    /// Whether the study is whole.
    ///
    /// # Errors
    /// Names what a figure, a claim or a link lacks.
    pub(crate) fn check(&self) -> Result<(), ReportError> {
        Ok(self.study.check(self.arrays)?)
    }
}

/// A certificate of a model, with the attention behind its counterexamples.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The certificate; its classes are all prediction classes of the task, its counterexamples are lists of the task.
    pub certificate: Certificate,
    /// The attention row of each of its counterexamples.
    pub attention: Vec<AttentionRow>,
}
