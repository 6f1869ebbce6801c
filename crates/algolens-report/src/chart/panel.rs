//! What a chart is: panels of numbers with names, and a table of the same numbers.

use algolens::interpret::Verdict;
use ndarray::Array2;
use std::ops::Range;

/// A figure as numbers with names, at the selection that a page opens with.
pub(crate) struct Chart {
    /// What it shows, in a sentence.
    pub title: String,
    /// What the colours mean.
    pub legend: Vec<(Hue, String)>,
    /// What is drawn, in reading order.
    pub panels: Vec<Panel>,
    /// How many panels stand side by side.
    pub across: usize,
    /// The numbers, below a row of headings.
    pub table: Vec<Vec<String>>,
}

/// A part of a chart with axes of its own.
pub(crate) struct Panel {
    /// What it is called; empty where the chart's title says it.
    pub title: String,
    pub content: Content,
}

pub(crate) enum Content {
    Grid(Grid),
    Bars(Bars),
    Lines(Lines),
    Boxes(Boxes),
    Dots(Dots),
    Strips(Strips),
    /// Why there is nothing to draw.
    Words(String),
}

/// An axis of names.
#[derive(Clone)]
pub(crate) struct Names {
    pub title: String,
    pub labels: Vec<String>,
}

/// Cells in colours, the first row at the top.
pub(crate) struct Grid {
    pub rows: Names,
    pub columns: Names,
    /// Matrices `[row, column]` over each other; NaN is blank.
    pub layers: Vec<Layer>,
    /// What the colours' numbers are.
    pub unit: String,
    pub look: Look,
    /// Cells that are framed, rows and columns.
    pub frames: Vec<(Range<usize>, Range<usize>)>,
    pub marks: Vec<Mark>,
    pub strokes: Vec<Stroke>,
}

/// How a grid's cells look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Square,
    /// Square, and without labels.
    Bare,
    Wide,
    /// Wide, with their numbers.
    Written,
}

/// Numbers of a grid with their colours.
pub(crate) struct Layer {
    pub cells: Array2<f32>,
    pub scale: Scale,
}

/// What colour a number has.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Blue below zero, red above, up to this size.
    Signed(f32),
    /// From zero up to this size.
    Weights(f32),
    /// From zero to one.
    Probability,
    /// One colour, of which the number is the opacity.
    Tint(Hue),
    /// The decimal logarithm of a share that is not proved, from −6 to 0.
    Unproved,
}

/// A colour that means something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hue {
    /// A head, by its place among all heads.
    Head(usize),
    /// A series, by its place.
    Series(usize),
    Certified,
    Refuted,
    Undecided,
    Verdict(Verdict),
}

/// A mark on a cell.
pub(crate) struct Mark {
    pub row: usize,
    pub column: usize,
    pub shape: Shape,
}

pub(crate) enum Shape {
    /// Around what is right.
    Ring,
    /// On what is wrong.
    Cross,
}

/// A line over a grid, its ends as (row, column).
pub(crate) struct Stroke {
    pub from: (f64, f64),
    pub to: (f64, f64),
    pub hue: Hue,
    pub thick: bool,
}

/// Groups of bars.
pub(crate) struct Bars {
    /// The groups.
    pub names: Names,
    /// The bars of every group; NaN is no bar.
    pub series: Vec<(Hue, Vec<f64>)>,
    /// What the numbers are.
    pub unit: String,
    /// The group that stands out.
    pub chosen: Option<usize>,
}

/// Lines over a number.
pub(crate) struct Lines {
    /// What the number is.
    pub over: String,
    pub at: Vec<f64>,
    /// The lines; NaN is a gap.
    pub series: Vec<(Hue, Vec<f64>)>,
    pub unit: String,
    pub extent: Extent,
    /// A value of the number that stands out, and what is said of it.
    pub kept: Option<(f64, String)>,
}

/// What a vertical axis covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// From zero to one.
    Share,
    /// Whole powers of ten around the numbers.
    Powers,
}

/// A box for each name over its numbers.
pub(crate) struct Boxes {
    pub names: Names,
    pub values: Vec<Vec<f64>>,
    pub unit: String,
}

/// Dots on a plane.
pub(crate) struct Dots {
    /// What is from left to right.
    pub x: String,
    /// What is from bottom to top.
    pub y: String,
    pub dots: Vec<Dot>,
}

pub(crate) struct Dot {
    pub at: (f64, f64),
    /// Whether there is more to see of it.
    pub ringed: bool,
}

/// Strips of dots below each other, each on a scale of its own.
pub(crate) struct Strips {
    pub strips: Vec<Strip>,
}

pub(crate) struct Strip {
    pub name: String,
    /// What is said of its dots.
    pub said: String,
    /// What the ends of its scale are; none where there are no dots.
    pub ends: Option<[String; 2]>,
    pub dots: Vec<StripDot>,
}

pub(crate) struct StripDot {
    /// Its place on the scale, from 0 to 1.
    pub at: f64,
    pub verdict: Verdict,
    /// Whether there is more to see of it.
    pub ringed: bool,
}

impl Chart {
    /// A chart of one panel.
    pub fn of(title: impl Into<String>, content: Content, table: Vec<Vec<String>>) -> Self {
        let panels = vec![Panel { title: String::new(), content }];
        Self { title: title.into(), legend: Vec::new(), panels, across: 1, table }
    }

    pub fn with_legend(self, legend: Vec<(Hue, String)>) -> Self {
        Self { legend, ..self }
    }
}

impl Grid {
    /// Cells of one scale, and nothing on them.
    pub fn new(rows: Names, columns: Names, layer: Layer, unit: impl Into<String>, look: Look) -> Self {
        let (frames, marks, strokes) = (Vec::new(), Vec::new(), Vec::new());
        Self { rows, columns, layers: vec![layer], unit: unit.into(), look, frames, marks, strokes }
    }
}

impl Names {
    pub fn new(title: impl Into<String>, labels: &[String]) -> Self {
        Self { title: title.into(), labels: labels.to_vec() }
    }
}
