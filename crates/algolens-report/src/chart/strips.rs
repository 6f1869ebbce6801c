//! Charts of many runs: what each says of several claims.

use super::{
    held::Held,
    panel::{Chart, Content, Hue, Strip, StripDot, Strips},
    words::{exact, label, row},
};
use crate::ReportError;
use algolens::interpret::{Unit, Verdict};
use ndarray::{ArrayView1, ArrayView2};

/// What is known of claims in runs.
pub(super) struct Claims<'a> {
    pub values: &'a str,
    pub verdicts: &'a str,
    pub names: &'a [String],
    pub units: &'a [Unit],
    pub runs: &'a [String],
    pub links: &'a [Option<String>],
}

/// A strip for each claim.
pub(super) fn strips(held: Held, title: &str, claims: &Claims) -> Result<Chart, ReportError> {
    let (values, verdicts) = (held.matrix(claims.values, &[])?, held.matrix(claims.verdicts, &[])?);
    let verdict = |run: usize, claim: usize| verdict_at(verdicts, run, claim);
    let strip = |(claim, numbers): (usize, ArrayView1<f32>)| {
        let said: Vec<Verdict> = (0..numbers.len()).map(|run| verdict(run, claim)).collect();
        strip(claims, claim, &numbers.mapv(f64::from).to_vec(), &said)
    };
    let strips: Vec<Strip> = values.columns().into_iter().enumerate().map(strip).collect();
    let shown = |verdict: &Verdict| strips.iter().flat_map(|strip| &strip.dots).any(|dot| dot.verdict == *verdict);
    let legend = Verdict::ALL.into_iter().filter(shown).map(|verdict| (Hue::Verdict(verdict), verdict.words().into()));
    let legend = legend.collect();
    let cells = values.indexed_iter().map(|((run, claim), number)| {
        vec![
            label(claims.runs, run),
            label(claims.names, claim),
            exact(*number),
            verdict(run, claim).words().to_owned(),
        ]
    });
    let table = [row(&["run", "claim", "value", "verdict"], [])].into_iter().chain(cells).collect();
    Ok(Chart::of(title, Content::Strips(Strips { strips }), table).with_legend(legend))
}

/// The verdict that a number stands for.
fn verdict_at(verdicts: ArrayView2<f32>, run: usize, claim: usize) -> Verdict {
    let place = verdicts.get((run, claim)).filter(|place| **place >= 0.0);
    place.and_then(|place| Verdict::ALL.get(*place as usize)).copied().unwrap_or(Verdict::NotAsked)
}

/// The strip of a claim, from the numbers and verdicts of all runs.
fn strip(claims: &Claims, claim: usize, numbers: &[f64], verdicts: &[Verdict]) -> Strip {
    let finite = || numbers.iter().copied().filter(|number| number.is_finite());
    let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
    let share = |number: f64| if high > low { (number - low) / (high - low) } else { 0.5 };
    let linked = |run: usize| claims.links.get(run).is_some_and(Option::is_some);
    let dot = |(run, (number, verdict)): (usize, (&f64, &Verdict))| {
        let dot = StripDot { at: share(*number), verdict: *verdict, ringed: linked(run) };
        number.is_finite().then_some(dot)
    };
    let asked = verdicts.iter().filter(|verdict| **verdict != Verdict::NotAsked).count();
    let hold = verdicts.iter().filter(|verdict| **verdict == Verdict::Holds).count();
    Strip {
        name: label(claims.names, claim),
        said: if asked > 0 { format!("{hold} of {asked} hold") } else { "no run was asked".into() },
        ends: (low <= high).then(|| ends(claims.units.get(claim).copied(), [low, high])),
        dots: numbers.iter().zip(verdicts).enumerate().filter_map(dot).collect(),
    }
}

/// The ends of a scale in words; as plain numbers where words of two numbers are the same.
fn ends(unit: Option<Unit>, [low, high]: [f64; 2]) -> [String; 2] {
    let words = unit.map(|unit| [low, high].map(|end| unit.number(end)));
    match words {
        Some(words) if words[0] != words[1] || low == high => words,
        _ => [low, high].map(|end| exact(end as f32)),
    }
}
