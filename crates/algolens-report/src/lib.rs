//! The report of a study as one interactive HTML page: pure functions from numbers to text, without files or models.
//!
//! The page holds the data once, as JSON ([`data`]), and one script (`assets/viewer/`) that draws every figure from it with
//! plotly (`assets/plotly/`); headings, captions and tables are there without the script.

mod captions;
mod data;
mod error;
mod figure;
mod page;
mod proof;
mod report;
mod sections;
mod tables;
mod titles;

#[cfg(test)]
mod tests;

pub use data::data;
pub use error::ReportError;
pub use page::page;
pub use report::{Proof, Report, Training};
