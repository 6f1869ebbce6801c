//! Figures as numbers with names: what is drawn of a figure without a browser, and what its table holds.

mod circuits;
mod classes;
mod examples;
mod held;
mod measures;
mod panel;
mod runs;
mod source;
mod strips;
mod words;

pub(crate) use panel::{
    Bars, Boxes, Chart, Content, Dot, Dots, Extent, Grid, Hue, Layer, Lines, Look, Names, Panel, Scale, Shape, Strip,
    StripDot, Strips,
};
pub(crate) use words::{brief, matrix as matrix_table};

use crate::{Report, ReportError};
use algolens::{
    Error,
    interpret::{Arrays, Figure, Plot},
};
use held::Held;
use source::Source;

/// The chart of a figure, at the selection that a page opens with: the first example, the middle predicted position with its
/// token, the key that the first head attends to most, and the class of predictions that costs the proof most.
///
/// # Errors
/// Arrays of other shapes than the figure's kind has; a figure of a proof that is not there.
pub(crate) fn chart(figure: &Figure, report: &Report) -> Result<Chart, ReportError> {
    let source = Source::new(report);
    match &figure.plot {
        Plot::Training => measures::training(source.arrays(), &figure.title),
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
        Plot::Boxes { values, items, tokens, rows, columns, unit } => {
            measures::boxes(source, &figure.title, values, (items, tokens), measures::Cells { rows, columns, unit })
        }
        Plot::ClassMap => classes::class_map(source),
        Plot::Counterexample => classes::counterexample(source),
        Plot::Bars { .. } | Plot::Lines { .. } | Plot::Blocks { .. } | Plot::Runs { .. } | Plot::Strips { .. } => {
            chart_of_arrays(figure, report.arrays)
        }
    }
}

/// The chart of a figure whose arrays are all that it is drawn from.
///
/// # Errors
/// Arrays of other shapes than the figure's kind has; a figure that asks for a study.
pub(crate) fn chart_of_arrays(figure: &Figure, arrays: &Arrays) -> Result<Chart, ReportError> {
    let (held, title) = (Held(arrays), &figure.title);
    match &figure.plot {
        Plot::Bars { values, names, series, unit } => measures::bars(held, title, values, names, series, unit),
        Plot::Lines { values, over, series } => measures::lines(held, title, values, over, series),
        Plot::Blocks { values, names, rows, columns, unit } => {
            measures::blocks(held, title, values, names, measures::Cells { rows, columns, unit })
        }
        Plot::Runs { values, columns, names, links, chosen } => {
            runs::runs(held, title, &runs::Runs { values, columns, names, links, chosen: *chosen })
        }
        Plot::Strips { values, verdicts, names, units, runs, links } => {
            strips::strips(held, title, &strips::Claims { values, verdicts, names, units, runs, links })
        }
        _ => Err(of_a_study(figure).into()),
    }
}

/// The error of a figure that asks for a study where there is none.
pub(crate) fn of_a_study(figure: &Figure) -> Error {
    let expected = "a kind that is of no single model (bars, lines, blocks, runs, strips)";
    Error::invalid(format!("the figure {}", figure.id), expected, figure.plot.kind())
}
