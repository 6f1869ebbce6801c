//! Strips of dots below each other.

use super::{
    colours::{INK, RULE, SOFT},
    frame::{Area, Drawn, font, plain},
    wrapped,
};
use crate::chart::{Hue, Strip, StripDot, Strips};
use algolens::interpret::Verdict;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::collections::BTreeMap;

/// The width of the names, in pixels, and how many of their letters are in one line.
const NAMES: i32 = 300;
const LETTERS: usize = 46;
/// The height of a line of a name.
const LINE: u32 = 16;
/// The height that the dots of a strip have.
const BAND: u32 = 38;
/// The height of the words at the ends of a scale.
const ENDS: u32 = 14;
/// The room below a strip.
const GAP: u32 = 12;

/// The height of strips, in pixels.
pub(super) fn height(strips: &Strips) -> u32 {
    strips.strips.iter().map(strip_height).sum()
}

fn name_lines(strip: &Strip) -> Vec<String> {
    wrapped(&plain(&strip.name), LETTERS)
}

fn strip_height(strip: &Strip) -> u32 {
    (LINE * (name_lines(strip).len() as u32 + 1)).max(BAND + ENDS) + GAP
}

/// Draws strips: at the left what each is called, to the right its dots.
pub(super) fn strips(strips: &Strips, area: &Area) -> Drawn {
    let radius = match strips.strips.iter().map(|strip| strip.dots.len()).max() {
        Some(..=60) | None => 4,
        Some(61..=160) => 3,
        _ => 2,
    };
    let right = area.dim_in_pixel().0 as i32 - 2 * radius;
    let mut top = 0;
    for strip in &strips.strips {
        let mut down = top as i32;
        for line in name_lines(strip) {
            area.draw_text(&line, &font(12.0, &INK), (0, down))?;
            down += LINE as i32;
        }
        area.draw_text(&strip.said, &font(12.0, &SOFT), (0, down))?;
        draw(strip, area, NAMES..right, top as i32, radius)?;
        top += strip_height(strip);
    }
    Ok(())
}

/// Draws the scale of a strip and its dots.
fn draw(strip: &Strip, area: &Area, across: std::ops::Range<i32>, top: i32, radius: i32) -> Drawn {
    let middle = top + BAND as i32 / 2;
    area.draw(&PathElement::new([(across.start, middle), (across.end, middle)], RULE.stroke_width(1)))?;
    let ends: &[(&str, HPos, i32)] = match &strip.ends {
        None => &[],
        Some([low, high]) if low == high => &[(low, HPos::Center, (across.start + across.end) / 2)],
        Some([low, high]) => &[(low, HPos::Left, across.start - radius), (high, HPos::Right, across.end + radius)],
    };
    for (words, side, at) in ends {
        let style = font(11.0, &SOFT).pos(Pos::new(*side, VPos::Top));
        area.draw_text(words, &style, (*at, top + BAND as i32))?;
    }
    for (dot, (x, y)) in stacked(&strip.dots, f64::from(across.end - across.start), f64::from(radius)) {
        let at = (across.start + x.round() as i32, middle + y.round() as i32);
        mark(area, at, dot.verdict, radius)?;
        if dot.ringed {
            area.draw(&Circle::new(at, radius + 1, INK.stroke_width(1)))?;
        }
    }
    Ok(())
}

/// Dots with their places on a strip of so much width: those of about one place above each other, by verdict, closer where they
/// are too many for the strip's height.
fn stacked(dots: &[StripDot], width: f64, radius: f64) -> Vec<(&StripDot, (f64, f64))> {
    let wide = 2.0 * radius + if dots.iter().any(|dot| dot.ringed) { 3.0 } else { 1.0 };
    let mut stacks: BTreeMap<i64, Vec<&StripDot>> = BTreeMap::new();
    for dot in dots {
        stacks.entry((dot.at * width / wide).round() as i64).or_default().push(dot);
    }
    stacks.into_iter().flat_map(|(place, stack)| above_each_other(place as f64 * wide, stack, wide)).collect()
}

/// The dots of one place, in the order of their verdicts.
fn above_each_other(x: f64, mut stack: Vec<&StripDot>, wide: f64) -> Vec<(&StripDot, (f64, f64))> {
    stack.sort_by_key(|dot| Verdict::ALL.iter().position(|verdict| *verdict == dot.verdict));
    let last = stack.len().saturating_sub(1) as f64;
    let step = wide.min((f64::from(BAND) - wide) / last.max(1.0));
    (0..).zip(stack).map(|(rank, dot)| (dot, (x, (f64::from(rank) - last / 2.0) * step))).collect()
}

/// Draws the mark of a verdict: they differ in shape too.
pub(super) fn mark(area: &Area, at: (i32, i32), verdict: Verdict, radius: i32) -> Drawn {
    let colour = Hue::Verdict(verdict).colour();
    let around = |by: i32| [(at.0 - by, at.1 - by), (at.0 + by, at.1 + by)];
    match verdict {
        Verdict::Holds | Verdict::NotAsked => area.draw(&Circle::new(at, radius, colour.filled())),
        Verdict::HoldsAsControl => area.draw(&Rectangle::new(around(radius - 1), colour.filled())),
        Verdict::Partly => area.draw(&TriangleMarker::new(at, radius + 1, colour.filled())),
        Verdict::Fails => area.draw(&Cross::new(at, radius - 1, colour.stroke_width(2))),
    }
}
