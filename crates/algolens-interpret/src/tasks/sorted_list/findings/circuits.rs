//! Claims about OV circuits and the direct path: copying, the split of the vocabulary, cells beside the diagonal.

use super::{
    claim::{Claim, Measured, percent},
    evidence::Evidence,
};
use crate::{claims::Unit, share::share};
use algolens_core::task::Token;

/// The claims about OV circuits and the direct path.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "copying",
        claim: "The heads copy: attending to a value predicts it.",
        measure: "share of the values whose OV row, in the head that serves them, peaks on themselves",
        unit: Unit::Share,
        thresholds: "holds from 95 %, partly from 50 %",
        measured: |evidence| {
            let copied = evidence.copy_heads.copied;
            let values = evidence.task.max_value() + 1;
            Measured::at_least(copied, [0.95, 0.5], format!("{:.0} of {values}", copied * f64::from(values)))
        },
    },
    Claim {
        id: "split",
        claim: "The heads split the vocabulary into a few ranges, each served by one of them.",
        measure: "number of ranges of neighbouring values with the largest OV diagonal in the same head",
        unit: Unit::Count,
        thresholds: "holds for 2 to twice as many ranges as heads, partly up to four times",
        measured: split,
    },
    Claim {
        id: "ov_asymmetry",
        claim: "Attending to s also boosts values just below s and suppresses values just above it.",
        measure: "mean of OV[s, s−1] less that of OV[s, s+1], in the head that serves s, as a part of the mean |OV[s, s]|",
        unit: Unit::Share,
        thresholds: "holds where the first mean is above 0 and the second below, partly where the first is larger",
        measured: ov_asymmetry,
    },
    Claim {
        id: "minor_heads_anti_copy",
        claim: "The other heads anti-copy where the main head copies.",
        measure: "share of negative OV diagonals in the other heads, over the values that the head with the most values serves",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: |evidence| match anti_copying(evidence, true) {
            None => Measured::not_asked("a single head"),
            Some((anti, detail)) => Measured::at_least(anti, [0.8, 0.5], detail),
        },
    },
    Claim {
        id: "main_head_does_not_anti_copy",
        claim: "The main head does not anti-copy where other heads copy.",
        measure: "share of negative OV diagonals in the main head, over the values that other heads serve",
        unit: Unit::Share,
        thresholds: "holds up to 50 %, partly up to 80 %",
        measured: |evidence| match anti_copying(evidence, false) {
            None => Measured::not_asked("a single head, or one that serves all values"),
            Some((anti, detail)) => Measured::judged(anti, anti <= 0.5, anti <= 0.8, detail),
        },
    },
    Claim {
        id: "direct_path_boosts_next",
        claim: "The direct path boosts d+1 more than d+2.",
        measure: "share of the values d whose W_E W_U is larger at d+1 than at d+2",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: |evidence| {
            let direct = |d: &Token, by: usize| evidence.direct_path[[*d as usize, *d as usize + by]];
            let ds: Vec<Token> = (0..evidence.task.max_value().saturating_sub(1)).collect();
            if ds.is_empty() {
                return Measured::not_asked("fewer than three values");
            }
            Measured::at_least(
                share(&ds, |d| direct(d, 1) > direct(d, 2)),
                [0.8, 0.5],
                format!("of {} values", ds.len()),
            )
        },
    },
];

/// The number of ranges with one copying head.
fn split(evidence: &Evidence) -> Measured {
    let (ranges, heads) = (&evidence.copy_heads.ranges, evidence.heads());
    if heads < 2 {
        return Measured::not_asked("a single head");
    }
    const SHOWN: usize = 6;
    let shown = ranges.iter().take(SHOWN).map(|r| format!("{}–{} by {}", r.from, r.to, r.head)).collect::<Vec<_>>();
    let more = if ranges.len() > SHOWN { ", …" } else { "" };
    let count = ranges.len();
    let within = |most: usize| (2..=most).contains(&count);
    Measured::judged(count as f64, within(2 * heads), within(4 * heads), shown.join(", ") + more)
}

/// Largest distance from the diagonal at which OV is averaged.
const OFFSETS: i64 = 4;

impl Evidence {
    /// The mean of OV\[s, s + offset\] in the copying head of s, for offsets −4 to 4, over the values s for which s + offset is a
    /// value.
    pub fn ov_offsets(&self) -> Vec<(i64, f64)> {
        let mean = |offset: i64| {
            let cells = self.values().filter_map(|s| {
                let prediction = usize::try_from(i64::from(s) + offset).ok()?;
                (prediction <= self.task.max_value() as usize)
                    .then(|| f64::from(self.circuits.W_OV_full[[self.copying_head(s), s as usize, prediction]]))
            });
            let cells: Vec<f64> = cells.collect();
            (!cells.is_empty()).then(|| (offset, cells.iter().sum::<f64>() / cells.len() as f64))
        };
        (-OFFSETS..=OFFSETS).filter_map(mean).collect()
    }
}

/// The mean OV below the diagonal less that above it, relative to the mean size of the diagonal.
fn ov_asymmetry(evidence: &Evidence) -> Measured {
    let offsets = evidence.ov_offsets();
    let at = |offset: i64| offsets.iter().find(|(o, _)| *o == offset).map(|(_, mean)| *mean);
    let (Some(below), Some(above)) = (at(-1), at(1)) else { return Measured::not_asked("a single value") };
    // The circuit is drawn without the norm's scale: only its ratios mean something.
    let diagonal =
        evidence.values().map(|s| evidence.circuits.W_OV_full[[evidence.copying_head(s), s as usize, s as usize]]);
    let unit = diagonal.map(|ov| f64::from(ov.abs())).sum::<f64>() / f64::from(evidence.task.max_value() + 1);
    let unit = unit.max(f64::MIN_POSITIVE);
    let shown = offsets.iter().map(|(offset, mean)| format!("{offset:+}: {:+.2}", mean / unit)).collect::<Vec<_>>();
    let detail = format!("by offset: {}", shown.join(", "));
    Measured::judged((below - above) / unit, below > 0.0 && above < 0.0, below > above, detail)
}

/// The share of negative OV diagonals: in the other heads over the values that the main head copies, or in the main head over
/// the values that others copy.
fn anti_copying(evidence: &Evidence, where_main_copies: bool) -> Option<(f64, String)> {
    let main = evidence.main_head();
    let diagonal = |head: usize, value: Token| evidence.circuits.W_OV_full[[head, value as usize, value as usize]];
    let values = evidence.values().filter(|value| (evidence.copying_head(*value) == main) == where_main_copies);
    let heads: Vec<usize> = (0..evidence.heads()).filter(|head| (*head == main) != where_main_copies).collect();
    let cells: Vec<(usize, Token)> =
        values.flat_map(|value| heads.iter().map(move |head| (*head, value)).collect::<Vec<_>>()).collect();
    if cells.is_empty() || evidence.heads() < 2 {
        return None;
    }
    let anti = share(&cells, |(head, value)| diagonal(*head, *value) < 0.0);
    let who = if where_main_copies { format!("heads other than 0.{main}") } else { format!("head 0.{main}") };
    let number = |(head, value): &(usize, Token)| f64::from(diagonal(*head, *value));
    let mean = cells.iter().map(number).sum::<f64>() / cells.len() as f64;
    let copying = cells.iter().map(|(_, value)| f64::from(diagonal(evidence.copying_head(*value), *value)));
    let relative = mean / (copying.sum::<f64>() / cells.len() as f64);
    Some((anti, format!("{who}: mean diagonal {} of the serving head's", percent(relative))))
}
