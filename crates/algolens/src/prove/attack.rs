//! Lists on which the right answer does worst.

use super::{List, contest::Contest, oracle::Region, prover::Prover};
use crate::task::Token;
use serde::{Deserialize, Serialize};

/// A list and how its prediction comes out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// The list.
    pub list: List,
    /// The right answer's logit less that of the best wrong one.
    pub margin: f64,
    /// The best wrong answer.
    pub rival: Token,
}

impl Found {
    /// The worst of the lists that a prover knows.
    pub fn worst_of(prover: &Prover) -> Option<Self> {
        let found = prover.points.iter().map(|point| {
            let (margin, rival) = prover.rows.margin(&point.rows);
            Self { list: point.list, margin, rival }
        });
        found.fold(None, |worst, found| Self::worse(worst, Some(found)))
    }

    /// The worse of two.
    pub fn worse(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(if b.margin < a.margin { b } else { a }),
            (one, other) => one.or(other),
        }
    }
}

/// Goes down from the known list on which the winner does worst: replaces Σ ρ_h by its linear part at a list, minimises
/// that exactly, and starts again from the list found. Every list on the way is remembered. The last one's number; none if
/// no list is known, or the region has none.
pub fn descend(prover: &mut Prover, contest: &Contest, region: &Region) -> Option<usize> {
    const MOST_STEPS: usize = 20;
    let value = |prover: &Prover, point: usize| {
        let sums = contest.sums(&prover.points[point].rows);
        (0..contest.n_heads()).map(|head| sums.ratio(head)).sum::<f64>()
    };
    let values = (0..prover.points.len()).map(|point| (value(prover, point), point));
    let (mut least, mut at) = values.min_by(|a, b| a.0.total_cmp(&b.0))?;
    for _ in 0..MOST_STEPS {
        let sums = contest.sums(&prover.points[at].rows);
        let a: Vec<f64> = sums.denominators.iter().map(|d| 1.0 / d).collect();
        let b: Vec<f64> = (0..a.len()).map(|head| sums.ratio(head) * a[head]).collect();
        let (_, next) = prover.minimise(contest, region, &a, &b)?;
        let found = value(prover, next);
        if found >= least {
            break;
        }
        (least, at) = (found, next);
    }
    Some(at)
}
