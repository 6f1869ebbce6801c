//! Figures of arrays that a user brings, without a study.

use crate::{
    ReportError,
    chart::{Bars, Chart, Content, Grid, Hue, Layer, Look, Names, Panel, Scale, matrix_table},
    csv::csv,
    data::Numbers,
    figure::card,
    figures::described,
    page::{self, Plotly},
    svg::svg,
};
use algolens::{
    Error,
    interpret::{Axis, AxisLabels, Figure, Plot},
};
use maud::html;
use ndarray::{Array2, Array3, Array4, ArrayView2};
use serde_json::{Value, json};

/// A figure of a user's own arrays: a page, a picture, or its numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sketch {
    /// What it shows.
    pub title: String,
    /// What is drawn.
    pub drawn: Drawn,
}

/// What a sketch draws.
#[derive(Clone, Debug, PartialEq)]
pub enum Drawn {
    /// Signed matrices side by side, on one scale.
    Matrices {
        /// `[matrix, row, column]`.
        cells: Array3<f32>,
        /// What each matrix is called.
        names: Vec<String>,
        /// The axis from top to bottom.
        rows: Labelled,
        /// The axis from left to right.
        columns: Labelled,
        /// What the numbers are.
        unit: String,
    },
    /// Groups of bars.
    Bars {
        /// `[group, bar]`.
        values: Array2<f32>,
        /// The groups.
        groups: Labelled,
        /// What each bar of a group is called.
        series: Vec<String>,
        /// What the numbers are.
        unit: String,
    },
    /// Attention patterns over examples of one length.
    Patterns {
        /// `[example, head, query, key]`.
        weights: Array4<f32>,
        /// What each head is called.
        heads: Vec<String>,
        /// The tokens of each example.
        tokens: Vec<Vec<String>>,
    },
}

/// An axis: what is along it, and a label for each place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Labelled {
    /// What is along it.
    pub title: String,
    /// The labels.
    pub labels: Vec<String>,
}

impl Labelled {
    fn names(&self) -> Names {
        Names::new(self.title.clone(), &self.labels)
    }
}

impl Sketch {
    /// The figure as a page of its own: one HTML file that needs no network. Patterns are drawn without plotly, so their page is
    /// a light one.
    ///
    /// # Errors
    /// Labels that are not as many as the array has places.
    pub fn page(&self) -> Result<String, ReportError> {
        self.check()?;
        let plotly = match self.drawn {
            Drawn::Patterns { .. } => Plotly::Without,
            _ => Plotly::With,
        };
        let body = html! {
            header #bar {
                h1 { (self.title) }
                button #theme type="button" aria-label="Switch between light and dark" { "◐" }
            }
            div #strip {}
            main { section { @for figure in self.figures() { (card(&figure)) } } }
        };
        let data = serde_json::to_string(&self.data())?;
        Ok(page::document(&self.title, Some("alone"), &body, &data, plotly))
    }

    /// The figure as an SVG document; of patterns those of the first example.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub fn svg(&self) -> Result<String, ReportError> {
        self.check()?;
        Ok(described(&svg(&self.chart())?, &format!("algolens {}", env!("CARGO_PKG_VERSION"))))
    }

    /// The figure's numbers as CSV.
    ///
    /// # Errors
    /// As [`page`](Self::page).
    pub fn csv(&self) -> Result<String, ReportError> {
        self.check()?;
        Ok(csv(&self.chart().table))
    }

    /// Whether there is a label for each place.
    ///
    /// # Errors
    /// Names the first that are not as many.
    pub fn check(&self) -> Result<(), ReportError> {
        let (shape, labels): (&[usize], Vec<(&str, usize)>) = match &self.drawn {
            Drawn::Matrices { cells, names, rows, columns, .. } => (
                cells.shape(),
                vec![
                    ("names", names.len()),
                    ("row labels", rows.labels.len()),
                    ("column labels", columns.labels.len()),
                ],
            ),
            Drawn::Bars { values, groups, series, .. } => {
                (values.shape(), vec![("groups", groups.labels.len()), ("series", series.len())])
            }
            Drawn::Patterns { weights, heads, tokens } => {
                let lengths = tokens.first().map_or(0, Vec::len);
                if let Some(other) = tokens.iter().find(|tokens| tokens.len() != lengths) {
                    let expected = format!("{lengths} an example, as in the first");
                    return Err(Error::invalid("tokens", expected, other.len()).into());
                }
                let labels =
                    vec![("examples", tokens.len()), ("heads", heads.len()), ("tokens", lengths), ("tokens", lengths)];
                (weights.shape(), labels)
            }
        };
        for (axis, (what, found)) in labels.into_iter().enumerate() {
            if shape[axis] != found {
                return Err(Error::invalid(what, format!("{}, as the array has", shape[axis]), found).into());
            }
        }
        if shape.contains(&0) {
            return Err(Error::invalid("array", "one with numbers", format!("shape {shape:?}")).into());
        }
        Ok(())
    }

    /// The figures of the page.
    fn figures(&self) -> Vec<Figure> {
        let figure =
            |id: String, title: &str, how: &str, plot| Figure { id, title: title.into(), how: how.into(), plot };
        match &self.drawn {
            Drawn::Matrices { names, rows, columns, unit, .. } => {
                let axis = |axis: &Labelled, labels| Axis { title: axis.title.clone(), labels };
                let matrix = |(at, name): (usize, &String)| {
                    let plot = Plot::Matrix {
                        array: "cells".into(),
                        head: Some(at),
                        rows: axis(rows, AxisLabels::Tokens),
                        columns: axis(columns, AxisLabels::Classes),
                        unit: unit.clone(),
                        ranges: Vec::new(),
                    };
                    figure(format!("matrix-{at}"), name, "", plot)
                };
                names.iter().enumerate().map(matrix).collect()
            }
            Drawn::Bars { groups, series, unit, .. } => {
                let (values, names) = ("values".into(), groups.labels.clone());
                let plot = Plot::Bars { values, names, series: series.clone(), unit: unit.clone() };
                vec![figure("bars".into(), &self.title, "", plot)]
            }
            Drawn::Patterns { .. } => {
                let heads = "Each square is a head's pattern: queries from top to bottom, keys from left to right. A click \
                             shows or hides the head.";
                let tokens = "A bar is the weight of a head between the chosen token and this one. A click chooses.";
                vec![
                    figure("heads".into(), "Heads", heads, Plot::Thumbs),
                    figure("tokens".into(), "Tokens", tokens, Plot::Tokens),
                ]
            }
        }
    }

    /// The page's data, in the words of a report's.
    fn data(&self) -> Value {
        let figures: serde_json::Map<String, Value> =
            self.figures().into_iter().map(|figure| (figure.id, json!(figure.plot))).collect();
        match &self.drawn {
            Drawn::Matrices { cells, rows, columns, .. } => json!({
                "labels": { "tokens": rows.labels, "classes": columns.labels, "positions": [] },
                "shown": { "tokens": numbers(rows.labels.len()), "classes": numbers(columns.labels.len()) },
                "figures": figures,
                "arrays": { "cells": Numbers::new(&cells.to_owned().into_dyn()) },
            }),
            Drawn::Bars { values, .. } => json!({
                "figures": figures,
                "arrays": { "values": Numbers::new(&values.to_owned().into_dyn()) },
            }),
            Drawn::Patterns { weights, heads, tokens } => {
                let mut vocabulary: Vec<&String> = tokens.iter().flatten().collect();
                vocabulary.sort_unstable();
                vocabulary.dedup();
                let index = |token: &String| vocabulary.binary_search(&token).unwrap_or(0);
                let list = |tokens: &Vec<String>| {
                    json!({
                        "name": tokens.join(" "),
                        "group": "Examples",
                        "tokens": tokens.iter().map(index).collect::<Vec<_>>(),
                        "expected": [], "predicted": [], "prob_expected": [], "right_at": [],
                    })
                };
                json!({
                    "labels": { "tokens": vocabulary, "classes": [], "positions": [] },
                    "heads": heads,
                    "causal": false,
                    "lists": tokens.iter().map(list).collect::<Vec<_>>(),
                    "figures": figures,
                    "arrays": { "pattern": Numbers::new(&weights.to_owned().into_dyn()) },
                })
            }
        }
    }

    /// The figure as panels of numbers.
    fn chart(&self) -> Chart {
        match &self.drawn {
            Drawn::Matrices { cells, names, rows, columns, unit } => {
                let panel = |(name, cells): (&String, ArrayView2<'_, f32>)| {
                    let layer = Layer { cells: cells.to_owned(), scale: scale(unit, self.largest()) };
                    let look = match cells.dim() {
                        _ if cells.len() <= FEW_CELLS => Look::Written,
                        (rows, columns) if rows > 2 * columns => Look::Wide,
                        _ => Look::Square,
                    };
                    let grid = Grid::new(rows.names(), columns.names(), layer, unit.clone(), look);
                    Panel { title: name.clone(), content: Content::Grid(grid) }
                };
                let table = |(name, cells): (&String, ArrayView2<'_, f32>)| {
                    let corner = [name.as_str(), rows.title.as_str()].join(" ");
                    matrix_table(corner.trim(), &rows.labels, &columns.labels, cells)
                };
                let pairs = || names.iter().zip(cells.outer_iter());
                Chart {
                    title: self.title.clone(),
                    legend: Vec::new(),
                    panels: pairs().map(panel).collect(),
                    across: names.len().min(2),
                    table: pairs().flat_map(table).collect(),
                }
            }
            Drawn::Bars { values, groups, series, unit } => {
                let bars = values.columns().into_iter().enumerate();
                let bars = bars.map(|(at, bars)| (Hue::Series(at), bars.iter().copied().map(f64::from).collect()));
                let content = Bars { names: groups.names(), series: bars.collect(), unit: unit.clone(), chosen: None };
                let table = matrix_table(&groups.title, &groups.labels, series, values.view());
                let legend = series.iter().enumerate().map(|(at, name)| (Hue::Series(at), name.clone())).collect();
                Chart::of(&self.title, Content::Bars(content), table).with_legend(legend)
            }
            Drawn::Patterns { weights, heads, tokens } => {
                let axis = |title| Names::new(title, &tokens[0]);
                let panel = |(at, cells): (usize, ArrayView2<'_, f32>)| {
                    let layer = Layer { cells: cells.to_owned(), scale: Scale::Tint(Hue::Head(at)) };
                    let grid = Grid::new(axis("query"), axis("key"), layer, "attention weight", Look::Square);
                    Panel { title: heads[at].clone(), content: Content::Grid(grid) }
                };
                let first = weights.index_axis(ndarray::Axis(0), 0);
                let table = heads.iter().zip(first.outer_iter());
                let table = table.flat_map(|(head, cells)| matrix_table(head, &tokens[0], &tokens[0], cells));
                Chart {
                    title: self.title.clone(),
                    legend: Vec::new(),
                    panels: first.outer_iter().enumerate().map(panel).collect(),
                    across: heads.len().min(2),
                    table: table.collect(),
                }
            }
        }
    }

    /// The largest absolute value of all matrices; 1 if all are zero or blank.
    fn largest(&self) -> f32 {
        let Drawn::Matrices { cells, .. } = &self.drawn else { return 1.0 };
        let largest = cells.iter().map(|cell| cell.abs()).filter(|size| size.is_finite()).fold(0.0, f32::max);
        if largest > 0.0 { largest } else { 1.0 }
    }
}

/// Most cells of a matrix whose numbers are written in them.
const FEW_CELLS: usize = 64;

/// From zero where the numbers are weights, else around zero.
fn scale(unit: &str, largest: f32) -> Scale {
    if unit == "weight" { Scale::Weights(largest) } else { Scale::Signed(largest) }
}

fn numbers(count: usize) -> Vec<usize> {
    (0..count).collect()
}
