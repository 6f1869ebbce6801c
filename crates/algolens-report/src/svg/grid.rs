//! Grids: cells in colours, what is marked on them, and the bar of their scale.

use super::{
    colours::{BLANK, INK, PAPER, SOFT, WRONG},
    frame::{Area, Axis, Drawn, Plot, centred, fixed, font, frame},
};
use crate::chart::{Grid, Layer, Look, Scale, Shape, brief};
use ndarray::{Array2, ArrayView2};
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// The highest grid, in pixels.
const HIGHEST: f64 = 640.0;
/// Most cells of a side that are drawn one by one.
const MOST_CELLS: usize = 200;
/// The width of a wide grid of few cells, which its title fits.
const LEAST_WIDE: f64 = 300.0;
/// What the bar of a scale takes, with its labels.
const BAR: u32 = 76;
/// The height of a bar of a scale.
const BAR_HEIGHT: i32 = 160;

/// A grid as it is laid out: axes, and pixels.
pub(super) struct Laid {
    x: Axis,
    y: Axis,
    width: u32,
    height: u32,
    right: u32,
}

impl Laid {
    /// Lays a grid out in so much width.
    pub fn new(grid: &Grid, width: u32) -> Self {
        let cells = grid.layers.first().map_or((0, 0), |layer| layer.cells.dim());
        let (rows, columns) = (cells.0.max(1) as f64, cells.1.max(1) as f64);
        let right = if bar(grid).is_some() { BAR } else { 8 };
        let down = |room: f64| Axis::of_names(&grid.rows, rows - 0.5..-0.5, room, false);
        let beside = down(LABEL_ROOM).thickness(false);
        let room = f64::from(width.saturating_sub(beside + right).max(40)) / columns;
        let most = |size: f64, most: f64| if size >= 1.0 { size.floor().min(most) } else { size };
        let (cell_width, cell_height) = match grid.look {
            Look::Square | Look::Bare => {
                let side = most(room.min(HIGHEST / rows), 40.0);
                (side, side)
            }
            Look::Wide => {
                (most(room, 110.0_f64.max(LEAST_WIDE / columns)), most(HIGHEST / rows, 26.0_f64.max(100.0 / rows)))
            }
            Look::Written => (most(room, 56.0), most(HIGHEST / rows, 28.0)),
        };
        let (width, height) = (cell_width * columns, cell_height * rows);
        let x = Axis::of_names(&grid.columns, -0.5..columns - 0.5, cell_width, true);
        let mut y = down(cell_height);
        if pooled(grid) > 1 {
            let step = pooled(grid);
            y.title = format!("{} (a cell is the largest of {step} × {step})", y.title);
        }
        // An axis ends one pixel before its area does.
        let [width, height] = [width, height].map(|size| size.round() as u32 + 1);
        Self { x, y, width, height, right }
    }

    /// The height with labels and scale.
    pub fn height(&self) -> u32 {
        let least = if self.right == BAR { BAR_HEIGHT as u32 + 8 } else { 0 };
        (self.height + self.x.thickness(true)).max(least)
    }

    /// The middle of the cells, from the left.
    pub fn middle(&self) -> i32 {
        (self.y.thickness(false) + self.width / 2) as i32
    }

    /// Draws the grid.
    pub fn draw(&self, grid: &Grid, area: &Area) -> Drawn {
        let (width, height) = (self.y.thickness(false) + self.width + self.right, self.height + self.x.thickness(true));
        let inner = area.clone().shrink((0, 0), (width, height));
        let plot = frame(&inner, &self.x, &self.y, self.right)?;
        let tinted = grid.layers.iter().all(|layer| matches!(layer.scale, Scale::Tint(_)));
        let plane = plot.plotting_area();
        let (rows, columns) = (self.y.range.start + 0.5, self.x.range.end + 0.5);
        let ground = if tinted || grid.look == Look::Wide { PAPER } else { BLANK };
        plane.draw(&Rectangle::new([(-0.5, -0.5), (columns - 0.5, rows - 0.5)], ground.filled()))?;
        for layer in &grid.layers {
            cells(&plot, layer, pooled(grid))?;
        }
        if grid.look == Look::Written {
            numbers(&plot, grid)?;
        }
        marks(&plot, grid)?;
        if let Some(scale) = bar(grid) {
            let left = (self.y.thickness(false) + self.width) as i32;
            scale_bar(area, scale, &grid.unit, left + 18)?;
        }
        Ok(())
    }
}

/// Room enough for a label in each row.
const LABEL_ROOM: f64 = 100.0;

/// The scale that is explained beside the grid.
fn bar(grid: &Grid) -> Option<Scale> {
    if grid.unit.is_empty() {
        return None;
    }
    grid.layers.iter().map(|layer| layer.scale).find(|scale| scale.ends().is_some())
}

/// How many cells of a side are drawn as one.
fn pooled(grid: &Grid) -> usize {
    let cells = grid.layers.iter().map(|layer| layer.cells.nrows().max(layer.cells.ncols())).max();
    cells.unwrap_or(0).div_ceil(MOST_CELLS).max(1)
}

/// Cells in their colours; neighbours of one colour in a row are one rectangle.
fn cells(plot: &Plot, layer: &Layer, step: usize) -> Drawn {
    let numbers = largest_of_each(layer.cells.view(), step);
    let edge = |cell: usize, len: usize| (cell * step).min(len) as f64 - 0.5;
    let (rows, columns) = layer.cells.dim();
    for (row, line) in numbers.outer_iter().enumerate() {
        let colours: Vec<RGBAColor> =
            line.iter().map(|number| if number.is_nan() { TRANSPARENT } else { layer.scale.colour(*number) }).collect();
        let mut from = 0;
        for run in colours.chunk_by(|a, b| a == b) {
            let to = from + run.len();
            if run[0].3 > 0.0 {
                let corners = [(edge(from, columns), edge(row, rows)), (edge(to, columns), edge(row + 1, rows))];
                plot.plotting_area().draw(&Rectangle::new(corners, run[0].filled()))?;
            }
            from = to;
        }
    }
    Ok(())
}

/// The number that is largest in size of each square of so many cells a side.
fn largest_of_each(cells: ArrayView2<f32>, step: usize) -> Array2<f32> {
    let shape = (cells.nrows().div_ceil(step), cells.ncols().div_ceil(step));
    let mut largest = Array2::from_elem(shape, f32::NAN);
    for ((row, column), number) in cells.indexed_iter() {
        let most = &mut largest[(row / step, column / step)];
        if most.is_nan() || number.abs() > most.abs() {
            *most = *number;
        }
    }
    largest
}

/// The numbers of the cells, in them.
fn numbers(plot: &Plot, grid: &Grid) -> Drawn {
    for layer in &grid.layers {
        for ((row, column), number) in layer.cells.indexed_iter().filter(|(_, number)| !number.is_nan()) {
            let RGBAColor(red, green, blue, _) = layer.scale.colour(*number);
            let light = 0.299 * f32::from(red) + 0.587 * f32::from(green) + 0.114 * f32::from(blue);
            let text = fixed(f64::from(*number), 1);
            let style = centred(11.0, if light > 140.0 { &INK } else { &PAPER });
            plot.plotting_area().draw(&Text::new(text, (column as f64, row as f64), style))?;
        }
    }
    Ok(())
}

/// Lines, frames, rings and crosses over the cells.
fn marks(plot: &Plot, grid: &Grid) -> Drawn {
    let plane = plot.plotting_area();
    for stroke in &grid.strokes {
        let ends = [stroke.from, stroke.to].map(|(row, column)| (column, row));
        let style = stroke.hue.colour().stroke_width(if stroke.thick { 5 } else { 2 });
        plane.draw(&PathElement::new(ends, style))?;
    }
    for (rows, columns) in &grid.frames {
        let edge = |at: usize| at as f64 - 0.5;
        let (top, bottom, left, right) = (edge(rows.start), edge(rows.end), edge(columns.start), edge(columns.end));
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        plane.draw(&PathElement::new(corners.clone(), PAPER.stroke_width(3)))?;
        plane.draw(&PathElement::new(corners, INK.stroke_width(1)))?;
    }
    for mark in &grid.marks {
        let at = (mark.column as f64, mark.row as f64);
        match mark.shape {
            Shape::Ring => {
                plane.draw(&Circle::new(at, 5, INK.stroke_width(3)))?;
                plane.draw(&Circle::new(at, 5, PAPER.stroke_width(1)))?;
            }
            Shape::Cross => {
                plane.draw(&Cross::new(at, 4, PAPER.stroke_width(4)))?;
                plane.draw(&Cross::new(at, 4, WRONG.stroke_width(2)))?;
            }
        }
    }
    Ok(())
}

/// The bar that says which colours numbers have.
fn scale_bar(area: &Area, scale: Scale, unit: &str, left: i32) -> Drawn {
    let [low, high] = scale.ends().unwrap_or([0.0, 1.0]);
    let (top, height) = (4, BAR_HEIGHT);
    for line in 0..height {
        let number = high + (low - high) * line as f32 / (height - 1) as f32;
        let corners = [(left, top + line), (left + 10, top + line + 1)];
        area.draw(&Rectangle::new(corners, scale.colour(number).filled()))?;
    }
    let ticks = match scale {
        Scale::Unproved => {
            vec![(-6.0, "≤ 10⁻⁶".into()), (-4.0, "10⁻⁴".into()), (-2.0, "10⁻²".into()), (0.0, "1".into())]
        }
        _ => [low, (low + high) / 2.0, high].map(|at| (at, brief(f64::from(at)))).to_vec(),
    };
    for (at, label) in ticks {
        let y = top + ((high - at) / (high - low) * height as f32) as i32;
        let style = font(10.0, &SOFT).pos(Pos::new(HPos::Left, VPos::Center));
        area.draw_text(&label, &style, (left + 14, y))?;
    }
    let style = font(11.0, &SOFT).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Center, VPos::Bottom));
    area.draw_text(unit, &style, (left - 3, top + height / 2))
}
