//! Charts drawn as SVG.

mod bars;
mod colours;
mod dots;
mod frame;
mod grid;
mod lines;
mod strips;

use crate::chart::{Chart, Content, Hue, Panel};
use colours::{INK, PAPER, SOFT};
use frame::{Area, Drawn, font, panel_title, plain, wrapped};
use grid::Laid;
use plotters::prelude::*;

/// The width of a picture, in pixels.
const WIDTH: u32 = 900;
/// The room around what is drawn.
const MARGIN: u32 = 12;
/// The height of bars, lines and boxes that stand alone, and of those above others.
const HEIGHTS: [u32; 2] = [360, 220];
/// The height of dots on a plane.
const DOTS: u32 = 420;
/// The height of a panel's title.
const PANEL_TITLE: u32 = 20;
/// The room below a panel.
const GAP: u32 = 10;
/// Letters of the title in one line.
const LETTERS: usize = 118;
/// The height of a line of the title, and of the legend.
const LINE: u32 = 19;

/// A chart as an SVG document.
///
/// # Errors
/// None that is known: the backend writes into memory.
pub(crate) fn svg(chart: &Chart) -> Drawn<String> {
    let title = wrapped(&plain(&chart.title), LETTERS);
    let legend = legend_lines(&chart.legend);
    let across = chart.across.clamp(1, chart.panels.len().max(1));
    let width = (WIDTH - 2 * MARGIN) / across as u32;
    let rows: Vec<(u32, &[Panel])> = chart.panels.chunks(across).map(|row| (height(row, width, chart), row)).collect();
    let top = MARGIN + LINE * (title.len() + legend.len()) as u32 + 8;
    let height = top + rows.iter().map(|(height, _)| height).sum::<u32>() + MARGIN;
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
    root.fill(&PAPER)?;
    for (line, words) in (0..).zip(&title) {
        root.draw_text(words, &font(14.0, &INK), (MARGIN as i32, (MARGIN + LINE * line) as i32))?;
    }
    for (line, entries) in (title.len() as u32..).zip(&legend) {
        draw_legend(&root, entries, (MARGIN + LINE * line) as i32)?;
    }
    let mut down = top;
    for (height, panels) in rows {
        for (column, panel) in (0..).zip(panels) {
            draw(panel, &root.clone().shrink((MARGIN + width * column, down), (width, height)))?;
        }
        down += height;
    }
    root.present()?;
    drop(root);
    Ok(text)
}

/// The height of panels that stand side by side.
fn height(panels: &[Panel], width: u32, chart: &Chart) -> u32 {
    let alone = HEIGHTS[usize::from(chart.panels.len() > 1)];
    let of = |panel: &Panel| match &panel.content {
        Content::Grid(grid) => Laid::new(grid, width).height(),
        Content::Bars(_) | Content::Lines(_) | Content::Boxes(_) => alone,
        Content::Dots(_) => DOTS,
        Content::Strips(strips) => strips::height(strips),
        Content::Words(_) => 3 * LINE,
    };
    let titled = |panel: &Panel| if panel.title.is_empty() { 0 } else { PANEL_TITLE };
    panels.iter().map(|panel| of(panel) + titled(panel) + GAP).max().unwrap_or(0)
}

fn draw(panel: &Panel, area: &Area) -> Drawn {
    let (width, height) = area.dim_in_pixel();
    let laid = if let Content::Grid(grid) = &panel.content { Some((grid, Laid::new(grid, width))) } else { None };
    let top = if panel.title.is_empty() { 0 } else { PANEL_TITLE };
    let inner = area.clone().shrink((0, top), (width, height.saturating_sub(top + GAP)));
    if !panel.title.is_empty() {
        panel_title(area, &panel.title, laid.as_ref().map_or(width as i32 / 2, |(_, laid)| laid.middle()))?;
    }
    match (&panel.content, laid) {
        (Content::Grid(_), Some((grid, laid))) => laid.draw(grid, &inner),
        (Content::Bars(bars), _) => bars::bars(bars, &inner),
        (Content::Lines(lines), _) => lines::lines(lines, &inner),
        (Content::Boxes(boxes), _) => bars::boxes(boxes, &inner),
        (Content::Dots(dots), _) => dots::dots(dots, &inner),
        (Content::Strips(strips), _) => strips::strips(strips, &inner),
        (Content::Words(words), _) => inner.draw_text(words, &font(13.0, &SOFT), (0, LINE as i32)),
        (Content::Grid(_), None) => Ok(()),
    }
}

/// The pixels of an entry of the legend.
fn entry_width(name: &str) -> u32 {
    34 + (13 * name.chars().count() / 2) as u32
}

/// The entries of a legend, in lines.
fn legend_lines(legend: &[(Hue, String)]) -> Vec<Vec<(Hue, String)>> {
    let mut lines: Vec<Vec<(Hue, String)>> = Vec::new();
    let mut taken = u32::MAX;
    for (hue, name) in legend {
        let width = entry_width(name);
        if taken.saturating_add(width) > WIDTH - 2 * MARGIN {
            lines.push(Vec::new());
            taken = 0;
        }
        taken += width;
        if let Some(line) = lines.last_mut() {
            line.push((*hue, plain(name)));
        }
    }
    lines
}

fn draw_legend(root: &Area, entries: &[(Hue, String)], y: i32) -> Drawn {
    let mut x = MARGIN as i32;
    for (hue, name) in entries {
        match hue {
            Hue::Verdict(verdict) => strips::mark(root, (x + 6, y + 8), *verdict, 5)?,
            hue => root.draw(&Rectangle::new([(x, y + 3), (x + 12, y + 13)], hue.colour().filled()))?,
        }
        root.draw_text(name, &font(12.0, &INK), (x + 17, y + 1))?;
        x += entry_width(name) as i32;
    }
    Ok(())
}
