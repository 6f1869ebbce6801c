//! Figures as numbers with names: what is drawn of a figure without a browser, and what its table holds.

mod circuits;
mod classes;
mod examples;
mod measures;
mod panel;
mod source;
mod words;

pub(crate) use panel::{
    Bars, Boxes, Chart, Content, Extent, Grid, Hue, Layer, Lines, Look, Names, Panel, Scale, Shape,
};
pub(crate) use words::{brief, matrix as matrix_table};

use crate::{Report, ReportError};
use algolens::interpret::{Figure, Plot};
use source::Source;

/// The chart of a figure, at the selection that a page opens with: the first example, the middle predicted position with its
/// token, the key that the first head attends to most, and the class of predictions that costs the proof most.
///
/// # Errors
/// Arrays of other shapes than the figure's kind has; a figure of a proof that is not there.
pub(crate) fn chart(figure: &Figure, report: &Report) -> Result<Chart, ReportError> {
    let source = Source::new(report);
    match &figure.plot {
        Plot::Training => measures::training(source, &figure.title),
        Plot::Probs => examples::probs(source),
        Plot::Thumbs => examples::thumbs(source, &figure.title),
        Plot::Pattern => examples::pattern(source),
        Plot::Tokens => examples::tokens(source, &figure.title),
        Plot::Terms => examples::terms(source),
        Plot::QkBar => circuits::qk_bar(source),
        Plot::Matrix { array, head, rows, columns, unit, ranges } => {
            let matrix = circuits::Matrix { array, head: *head, rows, columns, unit, ranges };
            circuits::matrix(source, &figure.title, &matrix)
        }
        Plot::Bars { values, names, series, unit } => {
            measures::bars(source, &figure.title, values, names, series, unit)
        }
        Plot::Lines { values, over, series } => measures::lines(source, &figure.title, values, over, series),
        Plot::Blocks { values, names, rows, columns, unit } => {
            measures::blocks(source, &figure.title, values, names, measures::Cells { rows, columns, unit })
        }
        Plot::Boxes { values, items, tokens, rows, columns, unit } => {
            measures::boxes(source, &figure.title, values, (items, tokens), measures::Cells { rows, columns, unit })
        }
        Plot::ClassMap => classes::class_map(source),
        Plot::Counterexample => classes::counterexample(source),
    }
}
