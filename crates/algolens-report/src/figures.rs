//! A report's figures as files.

use crate::{Report, ReportError, chart::chart, csv::csv, svg::svg};

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
    let figures = sections.iter().flat_map(|section| section.figures());
    let file = |figure| {
        let chart = chart(figure, report)?;
        Ok(FigureFile { name: figure.id.clone(), svg: svg(&chart)?, csv: csv(&chart.table) })
    };
    figures.map(file).collect()
}
