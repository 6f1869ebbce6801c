//! A study's results as one HTML page: pure functions from numbers to text. No files, no model.

mod heatmap;
mod page;
mod tables;

pub use page::page;

/// Why a page could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// An array that a figure needs is missing or has another shape than it should.
    #[error("array {name} of the results: expected {expected}, found {found}")]
    Array {
        /// The array.
        name: &'static str,
        /// What a figure needs.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// The plotting library failed.
    #[error("a figure could not be drawn: {0}")]
    Drawing(String),
}
