//! The report of a study as one interactive HTML page, and its figures as files: pure functions from numbers to text, without files or models.
//!
//! The page holds the data once, as JSON ([`data`]), and one script (`assets/viewer/`) that draws every figure from it with
//! plotly (`assets/plotly/`); headings, captions and tables are there without the script. It knows no task: it shows what the
//! study's sections hold. Where no browser is, [`figures`] draws every figure as SVG and writes its numbers as CSV.

mod chart;
mod csv;
mod data;
mod error;
mod figure;
mod figures;
mod page;
mod proof;
mod report;
mod sections;
mod sheet;
mod sketch;
mod svg;
mod tables;

#[cfg(test)]
mod tests;

pub use data::data;
pub use error::ReportError;
pub use figures::{FigureFile, figures};
pub use page::{light_page, page};
pub use report::{Proof, Report};
pub use sheet::Sheet;
pub use sketch::{Drawn, Labelled, Sketch};
