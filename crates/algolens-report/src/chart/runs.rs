//! Charts of many runs: one column over another.

use super::{
    held::Held,
    panel::{Chart, Content, Dot, Dots, Hue},
    words::{self, label},
};
use crate::ReportError;
use algolens::Error;

/// What is known of runs, and which columns are drawn.
pub(super) struct Runs<'a> {
    pub values: &'a str,
    pub columns: &'a [String],
    pub names: &'a [String],
    pub links: &'a [Option<String>],
    pub chosen: [usize; 2],
}

/// What dots without a ring are called, and those with one.
const KINDS: [(Hue, &str); 2] = [(Hue::Series(0), "run"), (Hue::Series(1), "run with a page")];
/// Most different places from left to right around which dots are spread.
const FEW: usize = 12;
/// How far dots are spread to each side: a share of the smallest distance of two places, and at most one of the whole width.
const BESIDE: [f64; 2] = [0.3, 0.025];
/// The golden ratio's fraction: its multiples lie far from those before.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// A dot for each run that has both numbers.
pub(super) fn runs(held: Held, title: &str, runs: &Runs) -> Result<Chart, ReportError> {
    let values = held.matrix(runs.values, &[])?;
    if let Some(column) = runs.chosen.iter().find(|column| **column >= values.ncols()) {
        let (what, expected) = (format!("the array {}", runs.values), format!("more columns than {column}"));
        return Err(Error::invalid(what, expected, values.ncols()).into());
    }
    let [x, y] = runs.chosen.map(|column| label(runs.columns, column));
    let numbers = values.outer_iter().map(|run| runs.chosen.map(|column| f64::from(run[column])));
    let dot = |(run, [x, y]): (usize, [f64; 2])| {
        let linked = runs.links.get(run).is_some_and(Option::is_some);
        (x.is_finite() && y.is_finite()).then_some(Dot { at: (x, y), ringed: linked })
    };
    let mut dots: Vec<Dot> = numbers.enumerate().filter_map(dot).collect();
    spread(&mut dots);
    let table = words::matrix("run", runs.names, runs.columns, values);
    let kinds = [false, true].map(|ringed| dots.iter().any(|dot| dot.ringed == ringed));
    let legend = if kinds == [true; 2] { KINDS.map(|(hue, name)| (hue, name.to_owned())).to_vec() } else { Vec::new() };
    Ok(Chart::of(title, Content::Dots(Dots { x, y, dots }), table).with_legend(legend))
}

/// Spreads dots sideways where many stand above each other, so that they do not hide each other.
fn spread(dots: &mut [Dot]) {
    let mut places: Vec<f64> = dots.iter().map(|dot| dot.at.0).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if places.len() > FEW || places.len() == dots.len() {
        return;
    }
    let gap = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    let whole = if places.len() > 1 { places[places.len() - 1] - places[0] } else { 1.0 };
    let beside = (BESIDE[0] * gap).min(BESIDE[1] * whole);
    let mut order: Vec<usize> = (0..dots.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (dots[*a].at, dots[*b].at);
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let (mut place, mut rank) = (f64::NAN, 0);
    for at in order {
        let dot = &mut dots[at].at;
        rank = if dot.0 == place { rank + 1 } else { 0 };
        place = dot.0;
        dot.0 += beside * (2.0 * (0.5 + f64::from(rank) * GOLDEN).fract() - 1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread_of(places: &[(f64, f64)]) -> Vec<f64> {
        let mut dots: Vec<Dot> = places.iter().map(|at| Dot { at: *at, ringed: false }).collect();
        spread(&mut dots);
        dots.iter().map(|dot| dot.at.0).collect()
    }

    #[test]
    fn dots_above_each_other_are_spread_and_others_stay() {
        let apart: Vec<(f64, f64)> = (0..5).map(|at| (f64::from(at), 1.0)).collect();
        assert_eq!(spread_of(&apart), [0.0, 1.0, 2.0, 3.0, 4.0]);
        let stacked: Vec<(f64, f64)> = (0..40).map(|at| (f64::from(at % 2), f64::from(at))).collect();
        let mut places = spread_of(&stacked);
        assert!(places.iter().zip(&stacked).all(|(place, (x, _))| (place - x).abs() <= 0.025), "{places:?}");
        places.sort_by(f64::total_cmp);
        assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{places:?}");
        assert_eq!(spread_of(&[(7.0, 1.0), (7.0, 2.0)])[0], 7.0);
        assert_eq!(spread_of(&[]), [0.0; 0]);
    }
}
