//! What was found of each claim, over all runs.

use super::{
    Runs,
    measures::{quantile, sorted},
};
use crate::{ClaimFound, table::claim_ids};
use algolens::interpret::{Arrays, Cell, Figure, Item, Plot, Section, Table, Unit, Verdict};
use ndarray::Array2;

/// Every claim: in how many runs it holds, and its numbers.
pub(super) fn section(runs: &Runs, arrays: &mut Arrays) -> Option<Section> {
    let claims: Vec<Claim> = claim_ids(runs.rows).iter().filter_map(|id| Claim::of(runs, id)).collect();
    if claims.is_empty() {
        return None;
    }
    let everywhere = claims.iter().filter(|claim| claim.runs() > 0 && claim.holding() == claim.runs()).count();
    let headline = format!("{everywhere} of {} hold in every run", claims.len());
    Some(Section {
        id: "claims".into(),
        title: "Claims".into(),
        headline,
        caption: "A claim holds where its number meets the threshold and is ahead of the controls; each run is judged by itself."
            .into(),
        items: vec![strips(&claims, runs, arrays), Item::Table(table(&claims))],
    })
}

/// A claim, and what each run found of it.
struct Claim<'a> {
    first: &'a ClaimFound,
    found: Vec<Option<&'a ClaimFound>>,
}

impl<'a> Claim<'a> {
    fn of(runs: &Runs<'a>, id: &str) -> Option<Self> {
        let found: Vec<_> = runs.rows.iter().map(|row| row.claims.iter().find(|claim| claim.id == id)).collect();
        let first = found.iter().flatten().next()?;
        Some(Self { first, found })
    }

    fn with(&self, verdict: Verdict) -> usize {
        self.found.iter().flatten().filter(|claim| claim.verdict == verdict).count()
    }

    /// Runs that were asked.
    fn runs(&self) -> usize {
        self.found.iter().flatten().count() - self.with(Verdict::NotAsked)
    }

    fn holding(&self) -> usize {
        self.with(Verdict::Holds)
    }
}

fn strips(claims: &[Claim], runs: &Runs, arrays: &mut Arrays) -> Item {
    let each = |of: fn(&ClaimFound) -> Option<f32>| {
        let cell = |(run, claim): (usize, usize)| claims[claim].found[run].and_then(of).unwrap_or(f32::NAN);
        Array2::from_shape_fn((runs.rows.len(), claims.len()), cell).into_dyn()
    };
    arrays.insert("claims".into(), each(|claim| claim.value.map(|value| value as f32)));
    arrays.insert(
        "verdicts".into(),
        each(|claim| Verdict::ALL.iter().position(|verdict| *verdict == claim.verdict).map(|place| place as f32)),
    );
    Item::Figure(Figure {
        id: "claims".into(),
        title: "The number of each claim in every run".into(),
        how: "A dot is a run, its colour the verdict; each strip has a scale of its own. A ringed dot has a report, which a click opens."
            .into(),
        plot: Plot::Strips {
            values: "claims".into(),
            verdicts: "verdicts".into(),
            names: claims.iter().map(|claim| claim.first.claim.clone()).collect(),
            units: claims.iter().map(|claim| claim.first.unit).collect(),
            runs: runs.names.clone(),
            links: runs.links.clone(),
        },
    })
}

fn table(claims: &[Claim]) -> Table {
    let row = |claim: &Claim| {
        let numbers = sorted(claim.found.iter().flatten().filter_map(|found| found.value));
        let at = |share: f64| {
            if numbers.is_empty() { Cell::Empty } else { Cell::Number(quantile(&numbers, share), claim.first.unit) }
        };
        let verdicts = Verdict::ALL.map(|verdict| Cell::Number(claim.with(verdict) as f64, Unit::Count));
        let mut row = vec![Cell::text(claim.first.id.replace('_', " "))];
        row.extend(verdicts);
        row.extend([at(0.0), at(0.5), at(1.0)]);
        row
    };
    let columns = ["claim".to_owned()].into_iter().chain(Verdict::ALL.map(|verdict| verdict.words().to_owned()));
    Table {
        id: "claims".into(),
        caption: "In how many runs each claim has which verdict, and its numbers".into(),
        columns: columns.chain(["least", "median", "most"].map(String::from)).collect(),
        rows: claims.iter().map(row).collect(),
    }
}
