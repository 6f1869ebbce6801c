//! A report's figures as files.

use crate::{
    Report, ReportError,
    chart::{Chart, chart},
    csv::csv,
    svg::svg,
};
use algolens::{interpret::Figure, provenance::Provenance};
use maud::html;

/// A figure as files hold it: a picture, and its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FigureFile {
    /// The figure's id: a file's name without its ending.
    pub name: String,
    /// The picture, as an SVG document.
    pub svg: String,
    /// The numbers, as CSV with a row of headings; a blank cell is no number.
    pub csv: String,
}

/// Every figure of a report, in order, drawn without a browser: as a page shows it that was just opened (the first example, the
/// middle predicted position, the class of predictions that costs the proof most).
///
/// # Errors
/// A study that is not whole, or arrays of other shapes than its figures have.
pub fn figures(report: &Report) -> Result<Vec<FigureFile>, ReportError> {
    report.check()?;
    let sections = report.sections();
    let origin = origin(report);
    let figures = sections.iter().flat_map(|section| section.figures());
    figures.map(|figure| file(figure, &chart(figure, report)?, &origin)).collect()
}

/// A figure as files, of which the picture says where it comes from.
pub(crate) fn file(figure: &Figure, chart: &Chart, origin: &str) -> Result<FigureFile, ReportError> {
    Ok(FigureFile { name: figure.id.clone(), svg: described(&svg(chart)?, origin), csv: csv(&chart.table) })
}

/// Where a report's figures come from, in a line.
fn origin(report: &Report) -> String {
    let said = report.study.provenance.as_ref().map_or_else(String::new, |origin| {
        let Provenance { made_by, sha256, backend, vectors, seed, .. } = origin;
        let seed = seed.map_or_else(String::new, |seed| format!(", seed {seed}"));
        format!(" by `{made_by}`, of the model with SHA-256 {sha256}, on the {backend} backend, {vectors}{seed}")
    });
    format!("algolens {}{said}", report.study.version)
}

/// An SVG document that says where it comes from.
pub(crate) fn described(svg: &str, origin: &str) -> String {
    let metadata = html! { metadata { (origin) } }.into_string();
    // The first element is the document's own.
    match svg.find("<svg").and_then(|at| svg[at..].find('>').map(|end| at + end + 1)) {
        Some(at) => [&svg[..at], &metadata, &svg[at..]].concat(),
        None => svg.to_owned(),
    }
}
