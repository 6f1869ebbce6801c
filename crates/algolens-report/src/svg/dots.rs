//! Dots on a plane.

use super::{
    colours::INK,
    frame::{Area, Axis, Drawn, frame},
};
use crate::chart::{Dot, Dots, Hue};
use plotters::prelude::*;
use std::ops::Range;

/// Draws dots, those with a ring larger and above the others.
pub(super) fn dots(dots: &Dots, area: &Area) -> Drawn {
    let x = Axis::of_numbers(&dots.x, range(&dots.dots, |dot| dot.at.0), 10);
    let y = Axis::of_numbers(&dots.y, range(&dots.dots, |dot| dot.at.1), 7);
    let plot = frame(area, &x, &y, 12)?;
    let plane = plot.plotting_area();
    let [colour, linked] = [0, 1].map(|series| Hue::Series(series).colour());
    for dot in dots.dots.iter().filter(|dot| !dot.ringed) {
        plane.draw(&Circle::new(dot.at, 4, colour.mix(0.6).filled()))?;
    }
    for dot in dots.dots.iter().filter(|dot| dot.ringed) {
        plane.draw(&Circle::new(dot.at, 5, linked.filled()))?;
        plane.draw(&Circle::new(dot.at, 6, INK.stroke_width(1)))?;
    }
    Ok(())
}

/// From the least number to the largest, with room for their dots.
fn range(dots: &[Dot], number: fn(&Dot) -> f64) -> Range<f64> {
    let numbers = dots.iter().map(number);
    let (low, high) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), at| (low.min(at), high.max(at)));
    match high - low {
        span if span > 0.0 => low - 0.04 * span..high + 0.04 * span,
        0.0 => low - 0.5..low + 0.5,
        _ => 0.0..1.0,
    }
}
