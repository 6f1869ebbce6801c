//! Charts of circuits: matrices, and one row of them as bars.

use super::{
    panel::{Bars, Chart, Content, Grid, Hue, Layer, Look, Names, Scale, Stroke},
    source::{Source, largest_of},
    words::{self, brief, exact, label, row},
};
use crate::ReportError;
use algolens::interpret::{Axis, AxisLabels, CopyHeadRange};

/// A matrix of the study, and what it is called.
pub(super) struct Matrix<'a> {
    pub array: &'a str,
    pub head: Option<usize>,
    pub rows: &'a Axis,
    pub columns: &'a Axis,
    pub unit: &'a str,
    pub ranges: &'a [CopyHeadRange],
}

/// How far beside the diagonal the ranges of copying heads are drawn.
const BESIDE: f64 = 1.3;

/// A matrix with the limits that all heads share.
pub(super) fn matrix(source: Source, title: &str, matrix: &Matrix) -> Result<Chart, ReportError> {
    let cells = source.arrays().matrix(matrix.array, matrix.head.as_slice())?;
    let names = |axis: &Axis, len: usize| {
        let labels = source.axis_labels(axis.labels);
        Names { title: axis.title.clone(), labels: (0..len).map(|at| label(&labels, at)).collect() }
    };
    let (rows, columns) = (names(matrix.rows, cells.nrows()), names(matrix.columns, cells.ncols()));
    let corner = format!("{} \\ {}", rows.title, columns.title);
    let table = words::matrix(&corner, &rows.labels, &columns.labels, cells);
    let limit = source.arrays().largest(matrix.array);
    let scale = if matrix.unit == "weight" { Scale::Weights(limit) } else { Scale::Signed(limit) };
    let mut grid = Grid::new(rows, columns, Layer { cells: cells.to_owned(), scale }, matrix.unit, Look::Square);
    let (heads, columns) = (source.heads(), cells.ncols() as f64);
    let stroke = |range: &CopyHeadRange| {
        let at = heads.iter().position(|head| *head == range.head).unwrap_or(0);
        // Within the cells: its row begins at the top, its column ends at the right.
        let from = (f64::from(range.from) - BESIDE).max(0.0) - 0.5;
        let to = (f64::from(range.to) + 1.0 - BESIDE).min(columns - 2.0 * BESIDE) - 0.5;
        let beside = |row: f64| (row, row + 2.0 * BESIDE);
        Stroke { from: beside(from), to: beside(to), hue: Hue::Head(at), thick: Some(at) == matrix.head }
    };
    grid.strokes = matrix.ranges.iter().map(stroke).collect();
    let mut served: Vec<usize> = matrix.ranges.iter().filter_map(|r| heads.iter().position(|h| *h == r.head)).collect();
    served.sort_unstable();
    served.dedup();
    let legend = served.iter().map(|at| (Hue::Head(*at), format!("served by head {}", heads[*at]))).collect();
    Ok(Chart::of(title, Content::Grid(grid), table).with_legend(legend))
}

/// The scores of the chosen destination token: as the post draws them where the study has them so.
pub(super) fn qk_bar(source: Source) -> Result<Chart, ReportError> {
    let drawn = ["W_QK_full", "QK_effective"].into_iter().find(|name| source.arrays().has(name)).unwrap_or("W_QK_full");
    let (example, query) = source.example()?;
    let asked = example.prediction.tokens[query];
    // Where it is not shown, the first that is.
    let token = source.shown().place_of_token(asked).unwrap_or(0);
    let tokens = &source.axis_labels(AxisLabels::Tokens);
    let (heads, shown) = (source.heads(), source.first_heads());
    let rows =
        shown.iter().map(|head| source.arrays().vector(drawn, &[*head, token])).collect::<Result<Vec<_>, _>>()?;
    let words = shown.iter().zip(&rows).map(|(head, row)| match largest_of(*row) {
        Some(best) => {
            let score = brief(f64::from(row[best]));
            format!("head {} seeks {} most ({score})", heads[*head], label(tokens, best))
        }
        None => format!("head {} has no scores", heads[*head]),
    });
    let title = format!("From token {}, {}", label(tokens, token), words.collect::<Vec<_>>().join("; "));
    let names = Names::new("source token (band: the destination token itself)", tokens);
    let named: Vec<String> = shown.iter().map(|head| format!("head {}", heads[*head])).collect();
    let series = shown.iter().zip(&rows).map(|(head, row)| {
        let scores = row.iter().map(|score| f64::from(*score)).collect();
        (Hue::Head(*head), scores)
    });
    let bars = Bars { names, series: series.collect(), unit: "score".into(), chosen: Some(token) };
    let line = |source: usize| {
        let scores = rows.iter().map(|row| row.get(source).map_or(String::new(), |score| exact(*score)));
        row(&[&label(tokens, token), &label(tokens, source)], scores)
    };
    let head = row(&["destination", "source"], named.iter().cloned());
    let table = [head].into_iter().chain((0..tokens.len()).map(line)).collect();
    let legend = shown.iter().map(|head| Hue::Head(*head)).zip(named).collect();
    Ok(Chart::of(title, Content::Bars(bars), table).with_legend(legend))
}
