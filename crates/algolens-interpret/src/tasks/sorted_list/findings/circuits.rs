//! Claims about OV circuits and the direct path.

use super::evidence::Evidence;
use crate::{
    claims::{Claim, Control::RandomWeights, Control::Relabelled, Measured, Thresholds, Unit},
    share::share,
    tasks::sorted_list::TripleList,
};
use algolens_core::task::Token;

/// The claims about OV circuits and the direct path.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "copying",
        claim: "The heads copy: attending to a value predicts it.",
        measure: "share of the values whose OV row, in the head that serves them, peaks on themselves",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.95, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| {
            let copied = evidence.copy_heads.copied;
            let values = evidence.task.max_value() + 1;
            Measured::number(copied, format!("{:.0} of {values}", copied * f64::from(values)))
        },
    },
    Claim {
        id: "ov_asymmetry",
        claim: "Attending to s also boosts values just below s and suppresses values just above it.",
        measure: "share of the values s, in the head that serves them, with OV[s, s−1] above 0 and OV[s, s+1] below",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.6, 0.4),
        controls: &[RandomWeights, Relabelled],
        measured: ov_asymmetry,
    },
    Claim {
        id: "direct_path_boosts_next",
        claim: "The direct path boosts d+1 more than d+2.",
        measure: "share of the values d whose W_E W_U is larger at d+1 than at d+2",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.65, 0.6),
        controls: &[RandomWeights, Relabelled],
        measured: direct_path,
    },
];

/// Largest distance from the diagonal at which OV is averaged.
const OFFSETS: i64 = 4;

impl Evidence {
    /// OV\[s, s + offset\] in the copying head of s; none where s + offset is no value.
    fn ov(&self, s: Token, offset: i64) -> Option<f64> {
        let prediction = Token::try_from(i64::from(s) + offset).ok().filter(|value| *value <= self.task.max_value())?;
        Some(f64::from(self.circuits.W_OV_full[[self.copying_head(s), s as usize, prediction as usize]]))
    }

    /// The mean of OV\[s, s + offset\] in the copying head of s, for offsets −4 to 4, over the values s for which s + offset is a
    /// value.
    pub fn ov_offsets(&self) -> Vec<(i64, f64)> {
        let mean = |offset: i64| {
            let cells: Vec<f64> = self.values().filter_map(|s| self.ov(s, offset)).collect();
            (!cells.is_empty()).then(|| (offset, cells.iter().sum::<f64>() / cells.len() as f64))
        };
        (-OFFSETS..=OFFSETS).filter_map(mean).collect()
    }
}

/// The share of values with a positive OV below the diagonal and a negative one above it.
fn ov_asymmetry(evidence: &Evidence) -> Measured {
    let beside: Vec<[f64; 2]> =
        evidence.values().filter_map(|s| Some([evidence.ov(s, -1)?, evidence.ov(s, 1)?])).collect();
    if beside.is_empty() {
        return Measured::not_asked("fewer than three values");
    }
    // The circuit is drawn without the norm's scale: only its ratios mean something.
    let diagonal: f64 = evidence.values().filter_map(|s| evidence.ov(s, 0)).map(f64::abs).sum();
    let unit = (diagonal / f64::from(evidence.task.max_value() + 1)).max(f64::MIN_POSITIVE);
    let offsets = evidence.ov_offsets();
    let shown: Vec<String> = offsets.iter().map(|(offset, mean)| format!("{offset:+}: {:+.2}", mean / unit)).collect();
    let detail = format!("of {} values; mean by offset {}", beside.len(), shown.join(", "));
    Measured::number(share(&beside, |[below, above]| *below > 0.0 && *above < 0.0), detail)
}

/// The share of values whose direct path is larger at the next value than at the one after.
fn direct_path(evidence: &Evidence) -> Measured {
    let direct = |d: &Token, by: usize| evidence.direct_path[[*d as usize, *d as usize + by]];
    let ds: Vec<Token> = (0..evidence.task.max_value().saturating_sub(1)).collect();
    if ds.is_empty() {
        return Measured::not_asked("fewer than three values");
    }
    let lists = evidence.triples.undecided().lists;
    let mean =
        |of: fn(&TripleList) -> [f64; 2]| lists.iter().map(of).map(|[y, z]| y - z).sum::<f64>() / lists.len() as f64;
    let mut detail = format!("of {} values", ds.len());
    if !lists.is_empty() {
        let [part, whole] = [mean(|list| list.direct), mean(|list| list.logits)];
        detail +=
            &format!("; {part:.2} of the {whole:.2} logits by which y beats z in triples with as much attention on z");
    }
    Measured::number(share(&ds, |d| direct(d, 1) > direct(d, 2)), detail)
}
