//! Strips of dots below each other.

use super::{
    colours::{INK, RULE, SOFT},
    frame::{Area, Drawn, font, plain, wrapped},
};
use crate::chart::{Hue, Strip, StripDot, Strips};
use algolens::interpret::Verdict;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};
use std::{collections::BTreeMap, ops::Range};

/// The width of the names, in pixels, and how many of their letters are in one line.
const NAMES: i32 = 300;
const LETTERS: usize = 43;
/// The height of a line of a name.
const LINE: u32 = 16;
/// The height that the dots of a strip have.
const BAND: u32 = 38;
/// The height of the words at the ends of a scale.
const ENDS: u32 = 14;
/// The room below a strip.
const GAP: u32 = 12;
/// Most pixels that dots of one place take from left to right, where others are on the scale.
const SIDEWAYS: f64 = 40.0;

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
    let beside = SIDEWAYS as i32 / 2 + radius + 1;
    let across = NAMES + beside..area.dim_in_pixel().0 as i32 - beside;
    let mut top = 0;
    for strip in &strips.strips {
        let mut down = top as i32;
        for line in name_lines(strip) {
            area.draw_text(&line, &font(12.0, &INK), (0, down))?;
            down += LINE as i32;
        }
        area.draw_text(&strip.said, &font(12.0, &SOFT), (0, down))?;
        draw(strip, area, &across, top as i32, radius)?;
        top += strip_height(strip);
    }
    Ok(())
}

/// Draws the scale of a strip and its dots.
fn draw(strip: &Strip, area: &Area, across: &Range<i32>, top: i32, radius: i32) -> Drawn {
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
    for (dot, (x, y)) in placed(&strip.dots, f64::from(across.end - across.start), f64::from(radius)) {
        let at = (across.start + x.round() as i32, middle + y.round() as i32);
        mark(area, at, dot.verdict, radius)?;
        if dot.ringed {
            area.draw(&Circle::new(at, radius + 1, INK.stroke_width(1)))?;
        }
    }
    Ok(())
}

/// Dots with their places on a scale of so much width: those of about one place in a block around it.
fn placed(dots: &[StripDot], width: f64, radius: f64) -> Vec<(&StripDot, (f64, f64))> {
    let side = 2.0 * radius + if dots.iter().any(|dot| dot.ringed) { 3.0 } else { 1.0 };
    let mut blocks: BTreeMap<i64, Vec<&StripDot>> = BTreeMap::new();
    for dot in dots {
        blocks.entry((dot.at * width / side).round() as i64).or_default().push(dot);
    }
    let places: Vec<i64> = blocks.keys().copied().collect();
    let nearest = places.windows(2).map(|pair| pair[1] - pair[0]);
    let before = [i64::MAX].into_iter().chain(nearest.clone());
    let nearest: Vec<i64> = before.zip(nearest.chain([i64::MAX])).map(|(before, after)| before.min(after)).collect();
    let alone = blocks.len() == 1;
    let room = |nearest: i64| if alone { width / 2.0 } else { SIDEWAYS.min((nearest as f64 - 1.0) * side) };
    let blocks = blocks.into_iter().zip(nearest);
    blocks.flat_map(|((place, dots), nearest)| block(place as f64 * side, dots, side, room(nearest))).collect()
}

/// Dots in columns around a place, in the order of their verdicts: as many columns as they need in the height of a strip, closer
/// where these are wider than there is room.
fn block(x: f64, mut dots: Vec<&StripDot>, side: f64, room: f64) -> Vec<(&StripDot, (f64, f64))> {
    dots.sort_by_key(|dot| Verdict::ALL.iter().position(|verdict| *verdict == dot.verdict));
    let fit = (f64::from(BAND) / side).floor().max(1.0) as usize;
    let columns = if room < side { 1 } else { dots.len().div_ceil(fit) };
    let rows = dots.len().div_ceil(columns.max(1)).max(1);
    let middle = |count: usize| (count as f64 - 1.0) / 2.0;
    let across = side.min(room / (2.0 * middle(columns)).max(1.0));
    let down = side.min((f64::from(BAND) - side) / (2.0 * middle(rows)).max(1.0));
    let column = |(column, dots): (usize, &[&StripDot])| {
        let x = x + (column as f64 - middle(columns)) * across;
        let y = |row: usize| (row as f64 - middle(dots.len())) * down;
        (0..dots.len()).map(|row| (x, y(row))).collect::<Vec<_>>()
    };
    let places: Vec<(f64, f64)> = dots.chunks(rows).enumerate().flat_map(column).collect();
    dots.into_iter().zip(places).collect()
}

/// Draws the mark of a verdict: they differ in shape too.
pub(super) fn mark(area: &Area, at: (i32, i32), verdict: Verdict, radius: i32) -> Drawn {
    let colour = Hue::Verdict(verdict).colour();
    let around = |by: i32| [(at.0 - by, at.1 - by), (at.0 + by, at.1 + by)];
    match verdict {
        Verdict::Holds | Verdict::NotAsked => area.draw(&Circle::new(at, radius, colour.filled())),
        Verdict::HoldsAsControl => area.draw(&Rectangle::new(around((radius - 1).max(2)), colour.filled())),
        Verdict::Partly => area.draw(&TriangleMarker::new(at, radius + 1, colour.filled())),
        Verdict::Fails => area.draw(&Cross::new(at, (radius - 1).max(2), colour.stroke_width(2))),
    }
}
