//! Axes with their labels, and text.

use super::colours::{INK, RULE, SOFT};
use crate::chart::{Names, brief};
use plotters::{
    chart::ChartContext,
    coord::{
        Shift,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
        types::RangedCoordf64,
    },
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{io, ops::Range};

/// A part of a picture, in pixels.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// A part of a picture with axes.
pub(super) type Plot<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
pub(super) type Drawn<T = ()> = Result<T, DrawingAreaErrorKind<io::Error>>;

pub(super) const FONT: &str = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif";
/// The size of labels, in pixels.
const LABEL: f64 = 11.0;
/// The width of a letter of a label, at most in the mean.
const LETTER: f64 = 6.5;
/// Most letters of a label.
const LETTERS: usize = 24;
/// The height of a line of labels.
const LINE: f64 = 13.0;

/// An axis.
#[derive(Clone)]
pub(super) struct Axis {
    pub title: String,
    pub range: Range<f64>,
    /// Where labels are.
    pub ticks: Vec<(f64, String)>,
    /// Whether the labels below the axis stand upright.
    pub upright: bool,
    /// Whether lines go from its labels over the plot.
    pub ruled: bool,
}

impl Axis {
    /// An axis of names at 0, 1, 2…, each with so many pixels: all labels where there is room for them, else every fifth (or
    /// tenth, …) and the last.
    pub fn of_names(names: &Names, range: Range<f64>, room: f64, across: bool) -> Self {
        let labels: Vec<String> = names.labels.iter().map(|label| short(label)).collect();
        let longest = longest(&labels);
        let upright = across && longest > room - 4.0;
        let needed = if across && !upright { longest + 4.0 } else { LINE };
        let last = labels.len().saturating_sub(1);
        let step = if room >= needed { 1 } else { 5 * (needed / (5.0 * room)).ceil().max(1.0) as usize };
        let clear = |at: usize| at == last || (last - at) as f64 * room >= needed;
        let shown = (0..labels.len()).filter(|at| *at == last || (at % step == 0 && clear(*at)));
        let ticks = shown.map(|at| (at as f64, labels[at].clone())).collect();
        Self { title: plain(&names.title), range, ticks, upright, ruled: false }
    }

    /// An axis of numbers, with about so many labels.
    pub fn of_numbers(title: &str, range: Range<f64>, most: usize) -> Self {
        let points = RangedCoordf64::from(range.clone()).key_points(most);
        let ticks = points.into_iter().map(|point| (point, brief(point))).collect();
        Self { title: plain(title), range, ticks, upright: false, ruled: true }
    }

    /// How many pixels the labels and the title take beside the axis, or below it.
    pub fn thickness(&self, across: bool) -> u32 {
        let labels: Vec<String> = self.ticks.iter().map(|(_, label)| label.clone()).collect();
        let labels = match (labels.is_empty(), across && !self.upright) {
            (true, _) => 0.0,
            (false, true) => LINE + 8.0,
            (false, false) => longest(&labels) + 10.0,
        };
        let title = if self.title.is_empty() { 0.0 } else { LINE + 5.0 };
        (labels + title).ceil().max(8.0) as u32
    }
}

impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        // Lines of less weight lie on the same places.
        let shown = if hint.weight().allow_light_points() { 0 } else { self.ticks.len() };
        self.ticks[..shown].iter().map(|(at, _)| *at).collect()
    }

    fn range(&self) -> Range<f64> {
        self.range.clone()
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        let found = self.ticks.iter().find(|(at, _)| at == value).filter(|_| !self.upright);
        found.map_or(String::new(), |(_, label)| label.clone())
    }
}

/// The axes of a plot in an area; `right` pixels stay free beside it.
pub(super) fn frame<'a, 'b>(area: &'a Area<'b>, x: &Axis, y: &Axis, right: u32) -> Drawn<Plot<'a, 'b>> {
    let mut plot = ChartBuilder::on(area)
        .margin_right(right)
        .x_label_area_size(x.thickness(true))
        .y_label_area_size(y.thickness(false))
        .build_cartesian_2d(x.clone(), y.clone())?;
    let mut mesh = plot.configure_mesh();
    mesh.disable_x_mesh().axis_style(RULE).bold_line_style(RULE);
    mesh.label_style(font(LABEL, &SOFT)).axis_desc_style(font(LABEL + 1.0, &SOFT)).set_all_tick_mark_size(3);
    if !y.ruled {
        mesh.disable_y_mesh();
    }
    if !x.title.is_empty() {
        mesh.x_desc(&x.title);
    }
    if !y.title.is_empty() {
        mesh.y_desc(&y.title);
    }
    mesh.draw()?;
    if x.upright {
        let style = font(LABEL, &SOFT).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center));
        let (left, top) = area.get_base_pixel();
        for (at, label) in &x.ticks {
            let place = plot.backend_coord(&(*at, y.range.start));
            area.draw_text(label, &style, (place.0 - left, plot.plotting_area().get_pixel_range().1.end - top + 6))?;
        }
    }
    Ok(plot)
}

/// Text of a size in pixels.
pub(super) fn font(size: f64, colour: &RGBColor) -> TextStyle<'static> {
    // The backend draws text by this much smaller than it is told.
    (FONT, size * 1.24).into_font().color(colour)
}

/// Text in the middle of a place.
pub(super) fn centred(size: f64, colour: &RGBColor) -> TextStyle<'static> {
    font(size, colour).pos(Pos::new(HPos::Center, VPos::Center))
}

/// The title of a panel, centred over its plot.
pub(super) fn panel_title(area: &Area, title: &str, middle: i32) -> Drawn {
    let style = font(12.0, &INK).pos(Pos::new(HPos::Center, VPos::Top));
    area.draw_text(&plain(title), &style, (middle, 2))
}

/// Text without what no XML may hold.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(
            |letter| if letter.is_control() || matches!(letter, '\u{fffe}' | '\u{ffff}') { '\u{fffd}' } else { letter },
        )
        .collect()
}

/// A label that is not too long.
fn short(label: &str) -> String {
    let label = plain(label);
    if label.chars().count() <= LETTERS { label } else { label.chars().take(LETTERS - 1).chain(['…']).collect() }
}

/// The width of the longest label.
fn longest(labels: &[String]) -> f64 {
    labels.iter().map(|label| label.chars().count()).max().unwrap_or(0) as f64 * LETTER
}
