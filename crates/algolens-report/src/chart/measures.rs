//! Charts of measures: curves, bars, lines, small matrices.

use super::{
    held::Held,
    panel::{Bars, Boxes, Chart, Content, Extent, Grid, Hue, Layer, Lines, Look, Names, Panel, Scale},
    source::Source,
    words::{self, exact, label, row},
};
use crate::ReportError;
use ndarray::{ArrayView1, ArrayView2, ArrayView3, Axis};

/// The columns of `history`.
const EPOCH: [&str; 6] = ["epoch", "train_loss", "validation_loss", "train_accuracy", "validation_accuracy", "best"];

/// Loss above accuracy, by epoch.
pub(super) fn training(held: Held, title: &str) -> Result<Chart, ReportError> {
    let history = held.matrix("history", &[])?;
    let column = |at: usize| numbers(history.columns().into_iter().nth(at));
    let best = history.outer_iter().rev().find(|epoch| epoch.get(5).is_some_and(|best| *best == 1.0));
    let best = best.and_then(|epoch| epoch.first().copied()).map(f64::from);
    let panel = |unit: &str, series: [usize; 2], extent, kept| {
        let over = "epoch".to_owned();
        let series = series.map(|at| (Hue::Series(at - 1), column(at))).to_vec();
        let content = Content::Lines(Lines { over, at: column(0), series, unit: unit.into(), extent, kept });
        Panel { title: String::new(), content }
    };
    let panels = vec![
        panel("loss (log)", [1, 2], Extent::Powers, best.map(|epoch| (epoch, format!("epoch {epoch} kept")))),
        panel("accuracy", [3, 4], Extent::Share, best.map(|epoch| (epoch, String::new()))),
    ];
    let names = ["loss, train", "loss, validation", "accuracy, train", "accuracy, validation"];
    let legend = names.iter().enumerate().map(|(at, name)| (Hue::Series(at), (*name).to_owned())).collect();
    let rows = history.outer_iter().map(|epoch| epoch.iter().map(|number| exact(*number)).collect());
    let table = [row(&EPOCH, [])].into_iter().chain(rows).collect();
    Ok(Chart { title: title.into(), legend, panels, across: 1, table })
}

/// A group of bars for each name.
pub(super) fn bars(
    held: Held,
    title: &str,
    values: &str,
    names: &[String],
    series: &[String],
    unit: &str,
) -> Result<Chart, ReportError> {
    let cells = held.matrix(values, &[])?;
    let columns = cells.columns().into_iter().enumerate();
    let drawn = columns.map(|(at, column)| (Hue::Series(at), numbers(Some(column)))).collect();
    let bars = Bars { names: Names::new("", names), series: drawn, unit: unit.into(), chosen: None };
    let table = words::matrix("name", names, series, cells);
    Ok(Chart::of(title, Content::Bars(bars), table).with_legend(legend(series)))
}

/// A line for each series.
pub(super) fn lines(
    held: Held,
    title: &str,
    values: &str,
    over: &str,
    series: &[String],
) -> Result<Chart, ReportError> {
    let points = held.matrix(values, &[])?;
    let mut columns = points.columns().into_iter();
    let at = numbers(columns.next());
    let drawn = columns.enumerate().map(|(at, column)| (Hue::Series(at), numbers(Some(column)))).collect();
    let (unit, extent) = ("share".into(), Extent::Share);
    let lines = Lines { over: over.into(), at, series: drawn, unit, extent, kept: None };
    let head = row(&[over], series.iter().cloned());
    let rows = points.outer_iter().map(|point| point.iter().map(|number| exact(*number)).collect());
    let table = [head].into_iter().chain(rows).collect();
    Ok(Chart::of(title, Content::Lines(lines), table).with_legend(legend(series)))
}

/// What the cells of small matrices are.
#[derive(Clone, Copy)]
pub(super) struct Cells<'a> {
    pub rows: &'a [String],
    pub columns: &'a [String],
    pub unit: &'a str,
}

impl Cells<'_> {
    /// The names of the cells, row by row.
    fn names(self) -> impl Iterator<Item = [String; 2]> {
        self.rows.iter().flat_map(move |row| self.columns.iter().map(|column| [row.clone(), column.clone()]))
    }
}

/// Most small matrices that stand side by side.
const BLOCKS_ACROSS: usize = 4;

/// Small matrices side by side, on one scale.
pub(super) fn blocks(
    held: Held,
    title: &str,
    values: &str,
    names: &[String],
    cells: Cells,
) -> Result<Chart, ReportError> {
    let blocks: ArrayView3<f32> = held.part(values, &[])?;
    let scale = Scale::Signed(held.largest(values));
    let (rows, columns) = (Names::new("", cells.rows), Names::new("", cells.columns));
    let panel = |(at, block): (usize, ArrayView2<f32>)| {
        let layer = Layer { cells: block.to_owned(), scale };
        let grid = Grid::new(rows.clone(), columns.clone(), layer, "", Look::Written);
        Panel { title: label(names, at), content: Content::Grid(grid) }
    };
    let numbers = |(at, block): (usize, ArrayView2<f32>)| {
        let block: Vec<f32> = block.iter().copied().collect();
        let named = cells.names().zip(block);
        named.map(|([r, c], number)| vec![label(names, at), r, c, exact(number)]).collect::<Vec<_>>()
    };
    let panels = blocks.outer_iter().enumerate().map(panel).collect();
    let table = [row(&["block", "row", "column", cells.unit], [])];
    let table = table.into_iter().chain(blocks.outer_iter().enumerate().flat_map(numbers)).collect();
    let title = format!("{title} ({})", cells.unit);
    let across = blocks.len_of(Axis(0)).clamp(1, BLOCKS_ACROSS);
    Ok(Chart { title, legend: Vec::new(), panels, across, table })
}

/// A box for each cell, over all small matrices; the items' tokens beside their numbers.
pub(super) fn boxes(
    source: Source,
    title: &str,
    values: &str,
    (items, tokens): (&str, &[String]),
    cells: Cells,
) -> Result<Chart, ReportError> {
    let all: ArrayView3<f32> = source.arrays().part(values, &[])?;
    let about = source.arrays().matrix(items, &[])?;
    let each = (0..all.dim().1 * all.dim().2).map(|cell| {
        all.outer_iter().filter_map(|item| item.iter().nth(cell).copied()).map(f64::from).collect::<Vec<_>>()
    });
    let names: Vec<String> = cells.names().map(|pair| pair.join(", ")).collect();
    let boxes = Boxes { names: Names::new("", &names), values: each.collect(), unit: cells.unit.into() };
    let item = |(item, about): (ArrayView2<f32>, ArrayView1<f32>)| {
        let tokens = about.iter().map(|token| label(&source.labels().tokens, *token as usize));
        tokens.chain(item.iter().map(|number| exact(*number))).collect()
    };
    let head = tokens.iter().chain(&names).cloned().collect();
    let table = [head].into_iter().chain(all.outer_iter().zip(about.outer_iter()).map(item)).collect();
    Ok(Chart::of(title, Content::Boxes(boxes), table))
}

/// What the series are called, unless there is only one.
fn legend(series: &[String]) -> Vec<(Hue, String)> {
    let named = series.iter().enumerate().map(|(at, name)| (Hue::Series(at), name.clone()));
    if series.len() > 1 { named.collect() } else { Vec::new() }
}

fn numbers(column: Option<ArrayView1<f32>>) -> Vec<f64> {
    column.into_iter().flatten().map(|number| f64::from(*number)).collect()
}
