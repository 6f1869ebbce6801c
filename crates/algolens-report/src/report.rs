//! A report: everything that a page is made from.

use crate::ReportError;
use algolens::{
    check::certificate::Certificate,
    interpret::{Arrays, AttentionRow, StudyResults},
    train::{EpochRecord, Recipe},
};
use ndarray::ArrayD;

/// A report: a study's results, and what else a page shows of the model.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The model's name: the file that its weights come from.
    pub title: &'a str,
    /// The study's results.
    pub results: &'a StudyResults,
    /// The study's arrays.
    pub arrays: &'a Arrays,
    /// The model's training, if it is known.
    pub training: Option<&'a Training>,
    /// A proof about the model, if there is one.
    pub proof: Option<&'a Proof>,
}

impl<'a> Report<'a> {
    /// The study's array of a name.
    ///
    /// # Errors
    /// An array that the study lacks.
    pub(crate) fn array(&self, name: &'static str) -> Result<&'a ArrayD<f32>, ReportError> {
        self.arrays.get(name).ok_or(ReportError::MissingArray(name))
    }
}

/// A model's training: recipe and history.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// The recipe, if it is known.
    pub recipe: Option<Recipe>,
    /// The records of its epochs, in order.
    pub history: Vec<EpochRecord>,
}

/// A certificate of a model, with the attention behind its counterexamples.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The certificate; its classes are all prediction classes of the task, its counterexamples are lists of the task.
    pub certificate: Certificate,
    /// The attention row of each of its counterexamples.
    pub attention: Vec<AttentionRow>,
}
