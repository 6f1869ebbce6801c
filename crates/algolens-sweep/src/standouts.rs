//! The runs that stand out.

use crate::{
    Row,
    table::{claim_ids, share},
};
use algolens::interpret::Verdict;
use std::collections::BTreeMap;

/// A run that stands out, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standout {
    /// Its number.
    pub run: usize,
    /// Its name.
    pub name: String,
    /// Why it stands out, in words.
    pub why: Vec<String>,
}

impl Standout {
    /// The path of its report in the sweep's folder.
    pub fn report(&self) -> String {
        format!("reports/{}.html", self.name)
    }
}

/// Most runs that differ from most in verdicts, and are named for that.
const MOST_ODD: usize = 4;

/// The runs that stand out of some: of least and of greatest loss, with the least share of inputs right, and those that
/// differ most in the verdicts on claims from what most runs have. In the order of the runs.
pub fn standouts(rows: &[Row]) -> Vec<Standout> {
    let mut found: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    let done: Vec<(usize, &Row)> = rows.iter().enumerate().filter(|(_, row)| row.error.is_none()).collect();
    let losses: Vec<(usize, f64)> = done
        .iter()
        .filter_map(|(run, row)| Some((*run, row.evaluation?.loss)))
        .filter(|(_, loss)| !loss.is_nan())
        .collect();
    if let (Some(least), Some(most)) = (first_least(&losses, |loss| loss), first_least(&losses, |loss| -loss)) {
        found.entry(least).or_default().push("least loss".into());
        if most != least {
            found.entry(most).or_default().push("greatest loss".into());
        }
    }
    let shares: Vec<(usize, f64)> =
        done.iter().filter_map(|(run, row)| Some((*run, share(row.known.as_ref()?)[0]))).collect();
    let differ = shares.iter().any(|(_, share)| *share != shares[0].1);
    if let Some(worst) = first_least(&shares, |share| share).filter(|_| differ) {
        found.entry(worst).or_default().push("fewest inputs right".into());
    }
    for (run, claims) in odd(&done) {
        found.entry(run).or_default().push(format!("not as most runs: {}", claims.join(", ")));
    }
    found.into_iter().map(|(run, why)| Standout { run, name: rows[run].run.clone(), why }).collect()
}

/// The first run whose number is least.
fn first_least(numbers: &[(usize, f64)], of: impl Fn(f64) -> f64) -> Option<usize> {
    numbers.iter().min_by(|(_, a), (_, b)| of(*a).total_cmp(&of(*b))).map(|(run, _)| *run)
}

/// The runs with the most verdicts that differ from the one that most runs have, and on which claims.
fn odd(done: &[(usize, &Row)]) -> Vec<(usize, Vec<String>)> {
    let rows: Vec<&Row> = done.iter().map(|(_, row)| *row).collect();
    let verdict = |row: &Row, id: &str| row.claims.iter().find(|claim| claim.id == id).map(|claim| claim.verdict);
    let mut odd: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for id in claim_ids(rows.iter().copied()) {
        let usual = Verdict::ALL.into_iter().find(|usual| {
            let same = rows.iter().filter(|row| verdict(row, &id) == Some(*usual)).count();
            3 * same > 2 * rows.len()
        });
        let Some(usual) = usual else { continue };
        for (run, row) in done {
            if verdict(row, &id).is_some_and(|verdict| verdict != usual) {
                odd.entry(*run).or_default().push(id.clone());
            }
        }
    }
    let mut odd: Vec<_> = odd.into_iter().collect();
    odd.sort_by_key(|(run, claims)| (usize::MAX - claims.len(), *run));
    odd.truncate(MOST_ODD);
    odd
}
