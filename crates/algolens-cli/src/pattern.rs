//! Attention patterns on a terminal.

use algolens::{Result, engine::hooks::Filter, interpret::Subject, model::Config, task::Dataset};
use anstyle::{RgbColor, Style};
use ndarray::{ArrayView2, ArrayView3, Axis, Ix4, s};

/// The first block's patterns on the first list of some data.
pub fn draw_first(subject: Subject, lists: &Dataset, colour: bool) -> Result<String> {
    const NAME: &str = "blocks.0.attn.hook_pattern";
    let first = lists.select(&[0]);
    let (_, cache) = subject.engine.run_with_cache(subject.model, first.tokens(), Filter::Names(&[NAME]))?;
    let patterns = cache.get::<Ix4>(NAME)?.index_axis_move(Axis(0), 0);
    Ok(draw(&first.labels(0), patterns, subject.model.config(), first.positions(), colour))
}

/// Columns that a terminal has, at least.
const COLUMNS: usize = 80;
/// Letters of a name that are drawn, at most.
const LONGEST_NAME: usize = 4;
/// Heads that are drawn, at most.
const HEADS: usize = 4;

/// The patterns `[head, query, key]` of one list at the predicted positions: a line a query, a cell a key. A line instead of lists too long for a terminal, and of more heads than a screen has room for.
pub fn draw(
    labels: &[String],
    patterns: ArrayView3<f32>,
    config: &Config,
    positions: &[usize],
    colour: bool,
) -> String {
    // Values have room; a separator's longer name is cut. Where nothing is a value, so are long names.
    let longest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(1).min(LONGEST_NAME);
    let width = labels.iter().filter(|label| label.parse::<i64>().is_ok()).map(String::len).max().unwrap_or(longest);
    let labels: Vec<String> = labels.iter().map(|label| label.chars().take(width).collect()).collect();
    let cell = width + 1;
    if labels.len() * cell + cell > COLUMNS {
        return format!("attention patterns: too wide for {COLUMNS} columns (the report shows them)\n");
    }
    let keys: String = labels.iter().map(|label| format!("{label:>cell$}")).collect();
    let mut text = String::new();
    for (head, pattern) in patterns.outer_iter().enumerate().take(HEADS) {
        text += &format!("attention of head 0.{head} (rows attend, columns are attended to)\n{:width$} {keys}\n", "");
        for &query in positions {
            text += &line(
                &labels[query],
                width,
                pattern.slice(s![query..=query, ..config.keys_seen(query, labels.len())]),
                cell,
                colour,
            );
        }
    }
    if patterns.dim().0 > HEADS {
        text += &format!("and {} more heads (the report shows them)\n", patterns.dim().0 - HEADS);
    }
    text
}

/// A query's line: a block for every key it sees.
fn line(label: &str, width: usize, weights: ArrayView2<f32>, cell: usize, colour: bool) -> String {
    let mut line = format!("{label:>width$} ");
    for weight in weights {
        line += &if colour { coloured(*weight, cell) } else { shaded(*weight, cell) };
    }
    line + "\n"
}

/// From dark blue over grey to yellow, as cividis does.
fn coloured(weight: f32, cell: usize) -> String {
    const RAMP: [[f32; 3]; 3] = [[0.0, 34.0, 78.0], [125.0, 124.0, 120.0], [254.0, 232.0, 56.0]];
    let place = weight.clamp(0.0, 1.0) * (RAMP.len() - 1) as f32;
    let from = (place as usize).min(RAMP.len() - 2);
    let mix = |at: usize| (RAMP[from][at] + (place - from as f32) * (RAMP[from + 1][at] - RAMP[from][at])) as u8;
    let style = Style::new().bg_color(Some(RgbColor(mix(0), mix(1), mix(2)).into()));
    format!("{style}{:cell$}{style:#}", "")
}

/// The same in characters.
fn shaded(weight: f32, cell: usize) -> String {
    let shade = match weight {
        w if w >= 0.75 => "█",
        w if w >= 0.5 => "▓",
        w if w >= 0.25 => "▒",
        w if w >= 0.05 => "░",
        _ => "·",
    };
    format!("{shade:>cell$}")
}
