//! Errors of making a page.

use plotters::drawing::DrawingAreaErrorKind;
use std::io;

/// An error of making a page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Results that JSON cannot hold.
    #[error("the page's data: {0}")]
    Data(#[from] serde_json::Error),
    /// A study that is not whole, or another page's figures.
    #[error(transparent)]
    Study(#[from] algolens::Error),
    /// A figure that cannot be drawn.
    #[error("a figure: {0}")]
    Drawing(#[from] DrawingAreaErrorKind<io::Error>),
}

impl From<ReportError> for algolens::Error {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Data(error) => Self::invalid("the page's data", "numbers that JSON can hold", error),
            ReportError::Drawing(error) => Self::invalid("a figure", "one that can be drawn", error),
            ReportError::Study(error) => error,
        }
    }
}
