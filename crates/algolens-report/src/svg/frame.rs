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
const LETTER: f64 = 6.2;
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
        let lying = longest(&labels) + LETTER;
        let all = room >= if across { lying.min(LINE) } else { LINE };
        let step = if all { 1 } else { 5 * (LINE / (5.0 * room)).ceil().max(1.0) as usize };
        let upright = across && lying > step as f64 * room;
        let needed = if across && !upright { lying } else { LINE };
        let last = labels.len().saturating_sub(1);
        let clear = |at: usize| at == last || all || (last - at) as f64 * room >= needed;
        let shown = (0..labels.len()).filter(|at| *at == last || (at % step == 0 && clear(*at)));
        let ticks = shown.map(|at| (at as f64, labels[at].clone())).collect();
        Self { title: plain(&names.title), range, ticks, upright, ruled: false }
    }

    /// An axis of numbers, with about so many labels.
    pub fn of_numbers(title: &str, range: Range<f64>, most: usize) -> Self {
        let points = RangedCoordf64::from(range.clone()).key_points(most);
        // What is nothing but a rounding is zero.
        let least = 1e-9 * (range.end - range.start).abs();
        let ticks = points.into_iter().map(|point| if point.abs() < least { 0.0 } else { point });
        let ticks = ticks.map(|point| (point, brief(point))).collect();
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
        // What lies beyond an axis is drawn at its end.
        let (low, high) = (self.range.start.min(self.range.end), self.range.end.max(self.range.start));
        RangedCoordf64::from(self.range.clone()).map(&value.clamp(low, high), limit)
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
    if !y.title.is_empty() {
        mesh.y_desc(&y.title);
    }
    mesh.draw()?;
    let (left, top) = area.get_base_pixel();
    let (across, down) = plot.plotting_area().get_pixel_range();
    // A title that is longer than its axis begins where that begins.
    let fits = longest(std::slice::from_ref(&x.title)) < f64::from(across.end - across.start);
    let (side, at) = if fits { (HPos::Center, (across.start + across.end) / 2) } else { (HPos::Left, across.start) };
    let bottom = area.dim_in_pixel().1 as i32;
    area.draw_text(&x.title, &font(LABEL + 1.0, &SOFT).pos(Pos::new(side, VPos::Bottom)), (at - left, bottom))?;
    if x.upright {
        let style = font(LABEL, &SOFT).transform(FontTransform::Rotate270).pos(Pos::new(HPos::Right, VPos::Center));
        for (at, label) in &x.ticks {
            let place = plot.backend_coord(&(*at, y.range.start));
            area.draw_text(label, &style, (place.0 - left, down.end - top + 6))?;
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

/// Text in lines of so many letters.
pub(super) fn wrapped(text: &str, letters: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= letters => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// A number with so many decimals; without a minus where all of them are zero.
pub(super) fn fixed(number: f64, decimals: usize) -> String {
    let text = format!("{number:.decimals$}");
    match text.strip_prefix('-') {
        Some(size) if size.chars().all(|figure| matches!(figure, '0' | '.')) => size.to_owned(),
        Some(size) => format!("−{size}"),
        None => text,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_with_decimals() {
        for (number, text) in [(1.25, "1.2"), (-0.04, "0.0"), (-0.06, "−0.1"), (-12.0, "−12.0")] {
            assert_eq!(fixed(number, 1), text);
        }
    }

    #[test]
    fn labels_lie_stand_or_are_thinned() {
        let names = |count: usize, label: &str| Names::new("", &vec![label.to_owned(); count]);
        let of = |count, label, room, across| {
            let axis = Axis::of_names(&names(count, label), 0.0..1.0, room, across);
            let ticks: Vec<f64> = axis.ticks.iter().map(|(at, _)| *at).collect();
            (ticks, axis.upright)
        };
        let all = |count: usize| (0..count).map(|at| at as f64).collect::<Vec<_>>();
        assert_eq!(of(4, "position", 90.0, true), (all(4), false));
        assert_eq!(of(4, "position", 20.0, true), (all(4), true));
        assert_eq!(of(4, "position", 14.0, false), (all(4), false));
        // Every fifth and the last; the one before the last only where it is clear of that.
        assert_eq!(of(13, "12", 6.5, true), (vec![0.0, 5.0, 12.0], false));
        assert_eq!(of(14, "12", 6.5, true), (vec![0.0, 5.0, 10.0, 13.0], false));
        assert_eq!(of(40, "position", 1.0, true), (vec![0.0, 15.0, 39.0], true));
        assert_eq!(of(0, "", 10.0, true), (vec![], false));
    }
}
