//! Bars, and boxes.

use super::{
    colours::{INK, RULE},
    frame::{Area, Axis, Drawn, centred, fixed, frame},
};
use crate::chart::{Bars, Boxes, Hue, Names};
use plotters::prelude::*;

/// The part of a group's room that its bars take.
const FULL: f64 = 0.76;
/// Least pixels of a bar that has its number over it.
const WRITTEN: f64 = 26.0;

/// Draws groups of bars.
pub(super) fn bars(bars: &Bars, area: &Area) -> Drawn {
    let all = || bars.series.iter().flat_map(|(_, values)| values).copied();
    let (x, y) = axes(area, &bars.names, all(), &bars.unit, 0.1);
    let plot = frame(area, &x, &y, 8)?;
    let plane = plot.plotting_area();
    if let Some(chosen) = bars.chosen {
        let at = chosen as f64;
        plane.draw(&Rectangle::new([(at - 0.5, y.range.start), (at + 0.5, y.range.end)], RULE.mix(0.6).filled()))?;
    }
    let width = FULL / bars.series.len().max(1) as f64;
    let room = f64::from(plane.dim_in_pixel().0) / bars.names.labels.len().max(1) as f64 * width;
    for (series, (hue, values)) in bars.series.iter().enumerate() {
        for (group, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let left = group as f64 - FULL / 2.0 + series as f64 * width;
            let corners = [(left, 0.0), (left + width, *value)];
            plane.draw(&Rectangle::new(corners, hue.colour().filled()))?;
            if room >= WRITTEN {
                let at = plane.map_coordinate(&(left + width / 2.0, *value));
                let base = area.get_base_pixel();
                let above = if *value < 0.0 { 8 } else { -8 };
                area.draw_text(&fixed(*value, 2), &centred(10.0, &INK), (at.0 - base.0, at.1 - base.1 + above))?;
            }
        }
    }
    plane.draw(&PathElement::new([(x.range.start, 0.0), (x.range.end, 0.0)], INK.stroke_width(1)))
}

/// Draws a box for each name: the middle half of the numbers with their median, whiskers to the last number within one and a
/// half of its height, and the numbers beyond.
pub(super) fn boxes(boxes: &Boxes, area: &Area) -> Drawn {
    let (x, y) = axes(area, &boxes.names, boxes.values.iter().flatten().copied(), &boxes.unit, 0.04);
    let plot = frame(area, &x, &y, 8)?;
    let plane = plot.plotting_area();
    plane.draw(&PathElement::new([(x.range.start, 0.0), (x.range.end, 0.0)], INK.stroke_width(1)))?;
    for (at, values) in boxes.values.iter().enumerate() {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        if values.is_empty() {
            continue;
        }
        let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile(&values, share));
        let fence = 1.5 * (high - low);
        let (within, beyond): (Vec<f64>, Vec<f64>) =
            values.iter().partition(|value| (low - fence..=high + fence).contains(value));
        let (colour, at) = (Hue::Series(at).colour(), at as f64);
        let line = |from: (f64, f64), to: (f64, f64)| PathElement::new([from, to], colour.stroke_width(2));
        plane.draw(&Rectangle::new([(at - 0.25, low), (at + 0.25, high)], colour.mix(0.35).filled()))?;
        plane.draw(&Rectangle::new([(at - 0.25, low), (at + 0.25, high)], colour.stroke_width(2)))?;
        plane.draw(&line((at - 0.25, middle), (at + 0.25, middle)))?;
        for (edge, end) in [(low, within.first()), (high, within.last())] {
            let end = end.copied().unwrap_or(edge);
            plane.draw(&line((at, edge), (at, end)))?;
            plane.draw(&line((at - 0.12, end), (at + 0.12, end)))?;
        }
        for value in beyond {
            plane.draw(&Circle::new((at, value), 2, colour.filled()))?;
        }
    }
    Ok(())
}

/// The axes of names and of numbers from zero, with a part more than they need.
fn axes(area: &Area, names: &Names, all: impl Iterator<Item = f64>, unit: &str, more: f64) -> (Axis, Axis) {
    let (low, high) = all
        .filter(|value| value.is_finite())
        .fold((0.0_f64, 0.0_f64), |(low, high), value| (low.min(value), high.max(value)));
    let room = if high > low { (high - low) * more } else { 1.0 };
    let range = (if low < 0.0 { low - room } else { 0.0 })..(if high > 0.0 || low == 0.0 { high + room } else { 0.0 });
    let y = Axis::of_numbers(unit, range, 7);
    let count = names.labels.len().max(1) as f64;
    let width = f64::from(area.dim_in_pixel().0.saturating_sub(y.thickness(false) + 8));
    (Axis::of_names(names, -0.5..count - 0.5, width / count, true), y)
}

/// A quantile of ascending numbers, of which there is one: linear between the two nearest.
fn quantile(ascending: &[f64], share: f64) -> f64 {
    let at = share * (ascending.len() - 1) as f64;
    let (low, high) = (ascending[at.floor() as usize], ascending[at.ceil() as usize]);
    low + (high - low) * at.fract()
}

#[cfg(test)]
mod tests {
    use super::quantile;

    #[test]
    fn quantiles_lie_between_the_nearest() {
        let quarters = |numbers: &[f64]| [0.25, 0.5, 0.75].map(|share| quantile(numbers, share));
        assert_eq!(quarters(&[1.0, 2.0, 3.0, 4.0]), [1.75, 2.5, 3.25]);
        assert_eq!(quarters(&[7.0]), [7.0; 3]);
    }
}
