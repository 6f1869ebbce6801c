//! Lines over a number.

use super::{
    colours::{INK, SOFT},
    frame::{Area, Axis, Drawn, Plot, font, frame},
};
use crate::chart::{Extent, Lines, brief};
use plotters::{
    element::DashedPathElement,
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::ops::Range;

/// The widest range of whole numbers that are all labelled.
const FEW: f64 = 12.0;
/// Most points of a line that are marked.
const MARKED: usize = 60;

/// Draws lines.
pub(super) fn lines(lines: &Lines, area: &Area) -> Drawn {
    let finite = |number: &f64| number.is_finite();
    let ends = lines.at.iter().copied().filter(finite);
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    let range = match high - low {
        span if span > 0.0 => low..high,
        0.0 => low - 0.5..low + 0.5,
        _ => 0.0..1.0,
    };
    let beside = 0.01 * (range.end - range.start);
    let mut x = Axis::of_numbers(&lines.over, range.start - beside..range.end + beside, 12);
    x.ruled = false;
    if lines.at.iter().all(|at| at.fract() == 0.0) && (0.0..=FEW).contains(&(high - low)) {
        let all = (0..=(high - low) as usize).map(|at| low + at as f64);
        x.ticks = all.map(|at| (at, brief(at))).collect();
    }
    let y = match lines.extent {
        Extent::Share => Axis::of_numbers(&lines.unit, -0.02..1.02, 6),
        Extent::Powers => powers(lines),
    };
    let plot = frame(area, &x, &y, 12)?;
    if let Some((at, words)) = &lines.kept {
        kept(&plot, *at, words, &x.range, &y.range)?;
    }
    for (style, (hue, values)) in lines.series.iter().enumerate() {
        let points = lines.at.iter().zip(values).map(|(at, value)| (*at, height(lines.extent, *value)));
        let points: Vec<(f64, f64)> = points.collect();
        let colour = hue.colour();
        for part in points.split(|(at, value)| !(at.is_finite() && value.is_finite())) {
            match style % 4 {
                0 => plot.plotting_area().draw(&PathElement::new(part.to_vec(), colour.stroke_width(2)))?,
                style => {
                    let (dash, gap) = [(7, 4), (2, 4), (11, 5)][style - 1];
                    let line = DashedPathElement::new(part.iter().copied(), dash, gap, colour.stroke_width(2));
                    plot.plotting_area().draw(&line)?;
                }
            }
            if points.len() <= MARKED {
                for point in part {
                    plot.plotting_area().draw(&Circle::new(*point, 3, colour.filled()))?;
                }
            }
        }
    }
    Ok(())
}

/// Where a number is on the vertical axis.
fn height(extent: Extent, value: f64) -> f64 {
    match extent {
        Extent::Share => value,
        Extent::Powers => value.log10(),
    }
}

/// An axis from the power of ten below all numbers to the one above.
fn powers(lines: &Lines) -> Axis {
    let all = lines.series.iter().flat_map(|(_, values)| values).map(|value| value.log10());
    let all = all.filter(|power| power.is_finite());
    let (low, high) =
        all.fold((0.0_f64, 0.0_f64), |(low, high), power| (low.min(power.floor()), high.max(power.ceil())));
    let (low, high) = (low as i32, (high as i32).max(low as i32 + 1));
    let ticks = (low..=high).map(|power| (f64::from(power), format!("10{}", raised(power)))).collect();
    Axis { title: lines.unit.clone(), range: f64::from(low)..f64::from(high), ticks, upright: false, ruled: true }
}

/// A whole number in raised figures.
fn raised(number: i32) -> String {
    let figures = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |figure: char| figure.to_digit(10).map_or('⁻', |digit| figures[digit as usize]);
    number.to_string().chars().map(raised).collect()
}

/// A named upright line, its words on the side with more room.
fn kept(plot: &Plot, at: f64, words: &str, x: &Range<f64>, y: &Range<f64>) -> Drawn {
    let plane = plot.plotting_area();
    let ends = [(at, y.start), (at, y.end)];
    plane.draw(&DashedPathElement::new(ends, 2, 3, INK.stroke_width(1)))?;
    let late = at > (x.start + x.end) / 2.0;
    let (side, by) = if late { (HPos::Right, -5) } else { (HPos::Left, 5) };
    let style = font(12.0, &SOFT).pos(Pos::new(side, VPos::Center));
    let words = EmptyElement::at((at, (y.start + y.end) / 2.0)) + Text::new(words.to_owned(), (by, 0), style);
    plane.draw(&words)
}
