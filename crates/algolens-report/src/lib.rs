//! A study's results as one interactive HTML page: pure functions from numbers to text. No files, no model.
//!
//! The page holds the data once, as JSON ([`data`]), and one script (`assets/viewer/`) that draws every figure from it with
//! plotly (`assets/plotly/`); headings, captions and tables are there without the script.

mod captions;
mod data;
mod figure;
mod page;
mod proof;
mod sections;
mod tables;
mod titles;

pub use data::data;
pub use page::page;

use algolens::{
    check::certificate::Certificate,
    interpret::{Arrays, AttentionRow, StudyResults},
    train::{EpochRecord, Recipe},
};

/// What a page is made from.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// What the model is called, and where its weights come from (a file's name).
    pub title: &'a str,
    /// What was found out about it.
    pub results: &'a StudyResults,
    /// The arrays that belong to it.
    pub arrays: &'a Arrays,
    /// How it was trained, if that is known.
    pub training: Option<&'a Training>,
    /// What is proved of it, if that is known.
    pub proof: Option<&'a Proof>,
}

/// How a model was trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Training {
    /// The recipe, if it is known.
    pub recipe: Option<Recipe>,
    /// Epoch by epoch.
    pub history: Vec<EpochRecord>,
}

/// What is proved of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Proof {
    /// The proof; its classes are all classes of the task, its counterexamples are lists of it.
    pub certificate: Certificate,
    /// The attention behind each of its counterexamples.
    pub attention: Vec<AttentionRow>,
}

/// Why a page could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The results hold what JSON cannot.
    #[error("the page's data: {0}")]
    Data(#[from] serde_json::Error),
}
