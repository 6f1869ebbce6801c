//! Errors of making a page.

/// An error of making a page.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// Results that JSON cannot hold.
    #[error("the page's data: {0}")]
    Data(#[from] serde_json::Error),
    /// A claim that no figure or section of the page shows.
    #[error("the claim {0}: expected a figure or section that shows it, found none")]
    UnknownClaim(String),
    /// An array that is neither on the page nor named as left out.
    #[error("the array {0}: expected to be named as on the page or as left out, found in neither list")]
    UnknownArray(String),
    /// An array of the page that the study lacks.
    #[error("the array {0}: expected among the study's arrays, found none")]
    MissingArray(&'static str),
    /// A section that has no body.
    #[error("the section {0}: expected a section with a body, found none")]
    UnknownSection(String),
}
