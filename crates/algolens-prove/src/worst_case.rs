//! Worst cases: lists with the least margin known.

use super::{ClassRows, List, minimizer::Minimizer};
use algolens_check::certificate::{Class, Counterexample};
use algolens_core::task::Token;
use serde::{Deserialize, Serialize};

/// The worst case of a class: a list with the least margin known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct WorstCase {
    /// The list.
    pub list: List,
    /// The target's logit less that of the best wrong answer.
    pub margin: f64,
    /// The best wrong answer.
    pub rival: Token,
}

impl WorstCase {
    /// The worst case among a minimizer's points.
    pub fn among_points(minimizer: &Minimizer) -> Option<Self> {
        let cases = minimizer.points.iter().map(|point| {
            let (margin, rival) = minimizer.rows.margin(&point.rows);
            Self { list: point.list, margin, rival }
        });
        cases.fold(None, |worst, case| Self::worse(worst, Some(case)))
    }

    /// The worst case among some lists of a class.
    pub fn among(rows: &ClassRows, lists: &[List]) -> Option<Self> {
        lists.iter().fold(None, |worst, &list| {
            let (margin, rival) = rows.margin(&rows.attended(&list));
            Self::worse(worst, Some(Self { list, margin, rival }))
        })
    }

    /// The worse of two cases: the one with the smaller margin.
    pub fn worse(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(if b.margin < a.margin { b } else { a }),
            (one, other) => one.or(other),
        }
    }

    /// The case as a certificate writes it.
    pub fn counterexample(&self, class: Class, list_len: usize) -> Counterexample {
        let list = self.list[..list_len].iter().map(|token| Token::from(*token)).collect();
        Counterexample::new(list, class, self.margin, self.rival)
    }
}
