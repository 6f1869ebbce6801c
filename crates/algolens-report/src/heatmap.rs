//! Heatmaps as SVG.

use crate::ReportError;
use ndarray::ArrayView2;
use plotters::prelude::*;

/// What a heatmap shows.
pub(crate) struct Heatmap<'a> {
    /// `[row, column]`; NaN is left blank.
    pub values: ArrayView2<'a, f32>,
    /// What rows are, and what each is called.
    pub rows: (&'a str, &'a [String]),
    /// What columns are, and what each is called.
    pub columns: (&'a str, &'a [String]),
    pub ramp: Ramp,
}

/// How values become colours.
#[derive(Clone, Copy)]
pub(crate) enum Ramp {
    /// Blue below zero, white at zero, red above; saturated at ± this value.
    Diverging(f32),
    /// White at 0, dark blue at 1.
    Share,
}

const MARGIN: i32 = 8;
const AXIS: i32 = 52;

impl Heatmap<'_> {
    /// The heatmap with its axes, `width` pixels wide.
    pub fn svg(&self, width: u32) -> Result<String, ReportError> {
        let mut svg = String::new();
        self.draw(&mut svg, width).map_err(ReportError::Drawing)?;
        Ok(svg)
    }

    fn draw(&self, svg: &mut String, width: u32) -> Result<(), String> {
        let (rows, columns) = self.values.dim();
        let inner = (width as i32 - AXIS - 2 * MARGIN) as u32;
        let height = inner * rows as u32 / columns.max(1) as u32 + (AXIS + 2 * MARGIN) as u32;
        let root = SVGBackend::with_string(svg, (width, height)).into_drawing_area();
        let failed = |error: &dyn std::fmt::Display| error.to_string();
        let mut chart = ChartBuilder::on(&root)
            .margin(MARGIN)
            .x_label_area_size(AXIS)
            .y_label_area_size(AXIS)
            // Rows run downwards, as matrices are written.
            .build_cartesian_2d((0..columns as i32 - 1).into_segmented(), (0..rows as i32 - 1).into_segmented())
            .map_err(|error| failed(&error))?;
        let name = |labels: &[String], at: &SegmentValue<i32>, last: usize| match at {
            SegmentValue::CenterOf(at) => labels.get(at.clamp(&0, &(last as i32 - 1)).unsigned_abs() as usize).cloned(),
            _ => None,
        };
        let (x_label, y_label) = (
            |at: &SegmentValue<i32>| name(self.columns.1, at, columns).unwrap_or_default(),
            |at: &SegmentValue<i32>| match at {
                SegmentValue::CenterOf(row) => {
                    name(self.rows.1, &SegmentValue::CenterOf(rows as i32 - 1 - row), rows).unwrap_or_default()
                }
                _ => String::new(),
            },
        );
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc(self.columns.0)
            .y_desc(self.rows.0)
            .x_labels(shown(columns))
            .y_labels(shown(rows))
            .x_label_formatter(&x_label)
            .y_label_formatter(&y_label)
            .label_style(("sans-serif", 12))
            .axis_desc_style(("sans-serif", 13))
            .draw()
            .map_err(|error| failed(&error))?;
        let cells = self.values.indexed_iter().filter(|(_, value)| !value.is_nan()).map(|((row, column), value)| {
            let (x, y) = (column as i32, (rows - 1 - row) as i32);
            let corners = [
                (SegmentValue::Exact(x), SegmentValue::Exact(y)),
                (SegmentValue::Exact(x + 1), SegmentValue::Exact(y + 1)),
            ];
            Rectangle::new(corners, self.ramp.colour(*value).filled())
        });
        chart.draw_series(cells).map_err(|error| failed(&error))?;
        root.present().map_err(|error| failed(&error))
    }
}

/// Labels on an axis: every one while they have room.
fn shown(cells: usize) -> usize {
    const ROOM: usize = 22;
    if cells <= ROOM { cells } else { cells.div_ceil(5) }
}

impl Ramp {
    fn colour(self, value: f32) -> RGBColor {
        const WHITE: [f32; 3] = [255.0, 255.0, 255.0];
        const BLUE: [f32; 3] = [5.0, 80.0, 160.0];
        const RED: [f32; 3] = [178.0, 24.0, 43.0];
        let (to, weight) = match self {
            Self::Diverging(limit) if value < 0.0 => (BLUE, -value / limit),
            Self::Diverging(limit) => (RED, value / limit),
            Self::Share => (BLUE, value),
        };
        let weight = if weight.is_finite() { weight.clamp(0.0, 1.0) } else { 0.0 };
        let [r, g, b] = [0, 1, 2].map(|at| (WHITE[at] + weight * (to[at] - WHITE[at])).round() as u8);
        RGBColor(r, g, b)
    }
}
