//! Lists on which the right answer does worst.

use super::{
    Class, Classes, Counterexample, List, Search, Tables,
    contest::Contest,
    node::Node,
    oracle::{ABSENT, Region},
    prover::Prover,
};
use crate::{Error, Result, observer::Observer, task::Token};
use serde::{Deserialize, Serialize};

/// A list and how its prediction comes out.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
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

    /// As a counterexample of its class.
    pub fn of_class(&self, class: Class, list_len: usize) -> Counterexample {
        let list = self.list[..list_len].iter().map(|token| Token::from(*token)).collect();
        Counterexample::new(list, class, self.margin, self.rival)
    }
}

/// Goes down from the known list on which the winner does worst: replaces Σ ρ_h by its linear part at a list, minimises
/// that exactly, and starts again from the list found. Every list on the way is remembered.
pub(super) fn descend(prover: &mut Prover, contest: &Contest, region: &Region) {
    const MOST_STEPS: usize = 20;
    let value = |prover: &Prover, point: usize| contest.sums(&prover.points[point].rows).sum_of_ratios();
    let values = (0..prover.points.len()).map(|point| (value(prover, point), point));
    let Some((mut least, mut at)) = values.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    for _ in 0..MOST_STEPS {
        let (a, b) = contest.sums(&prover.points[at].rows).linear_part();
        let Some((_, next)) = prover.minimise(contest, region, &a, &b) else { return };
        let found = value(prover, next);
        if found >= least {
            return;
        }
        (least, at) = (found, next);
    }
}

/// Descends against every rival in turn, hardest first by the margin of the worst list so far, until no list is worse.
pub(super) fn descend_from_worst(prover: &mut Prover, node: &Node) -> Option<Found> {
    const MOST_ROUNDS: usize = 8;
    let mut worst = Found::worst_of(prover)?;
    for _ in 0..MOST_ROUNDS {
        let contest = Contest::new(prover.rows, prover.rows.class.target as usize, worst.rival as usize, 0.0);
        descend(prover, &contest, &node.region);
        let found = Found::worst_of(prover)?;
        if found.margin >= worst.margin {
            break;
        }
        worst = found;
    }
    Some(worst)
}

/// Which lists and predictions an attack may use.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// Only this prediction.
    pub position: Option<usize>,
    /// Only predictions made at this token.
    pub token: Option<Token>,
    /// Only predictions whose right answer is this.
    pub target: Option<Token>,
    /// The least gap between the token that predicts and the right answer; predictions at SEP have none.
    pub min_gap: Option<Token>,
    /// The largest such gap.
    pub max_gap: Option<Token>,
    /// The values a list may have; all where none are given.
    pub values: Option<Vec<Token>>,
}

impl Restrictions {
    /// Whether predictions of a class may be used.
    pub fn allow(&self, class: &Class) -> bool {
        let is = |wanted: Option<Token>, token: Option<Token>| wanted.is_none_or(|wanted| token == Some(wanted));
        let has = |token: Token| self.values.as_ref().is_none_or(|values| values.contains(&token));
        self.position.is_none_or(|position| position == class.position)
            && is(self.token, class.token)
            && is(self.target, Some(class.target))
            && self.min_gap.is_none_or(|least| class.gap().is_some_and(|gap| gap >= least))
            && self.max_gap.is_none_or(|most| class.gap().is_some_and(|gap| gap <= most))
            && has(class.target)
            && class.token.is_none_or(has)
    }

    /// Takes other values than the allowed ones out of a region of a class.
    pub(super) fn restrict(&self, tokens: &[u16], region: &mut Region) {
        if let Some(values) = &self.values {
            for (token, options) in tokens.iter().zip(region.options_mut()) {
                if !values.contains(&Token::from(*token)) {
                    *options &= 1 << ABSENT;
                }
            }
        }
    }
}

/// What an attack found.
#[derive(Clone, Debug, Serialize)]
pub struct Attack {
    /// The worst list of each class, the worst first.
    pub found: Vec<Counterexample>,
    /// Every list and prediction that the attack may use has at least this margin; none where that was not proved.
    pub proved: Option<f64>,
}

/// How an attack comes on.
#[derive(Clone, Copy, Debug)]
pub struct AttackProgress {
    /// The least margin so far.
    pub least: f64,
    /// Classes looked at in this pass.
    pub done: usize,
    /// Classes in all.
    pub of: usize,
}

/// Searches the worst lists by the margin of the right answer: every class once, and then, within `work` passes of the
/// oracle, for a proof that none is worse than the worst by more than 1e-6, or for a list that is.
///
/// # Errors
/// Restrictions that no list meets, or [`Error::Cancelled`] when the observer asks to stop.
pub fn attack(
    tables: &Tables,
    classes: &Classes,
    restrictions: &Restrictions,
    work: u64,
    observer: &mut dyn Observer<AttackProgress>,
) -> Result<Attack> {
    /// Logits by which another list may be worse yet.
    const PRECISION: f64 = 1e-6;
    let classes = classes.only(|class| restrictions.allow(class));
    let mut found: Vec<Option<Counterexample>> = vec![None; classes.all().len()];
    let mut least = f64::INFINITY;
    let (mut spent, mut proved) = (0, None);
    loop {
        let is_first = least == f64::INFINITY;
        let slack = if is_first { 0.0 } else { least - PRECISION };
        let search = Search::new(tables, classes.clone(), slack)?.restricted(restrictions.clone());
        let mut search = if is_first { search.attacks_only() } else { search };
        while !search.finished() && (is_first || spent + search.work() < work) {
            search.advance();
            let progress = AttackProgress { least, done: search.begun(), of: classes.all().len() };
            if observer.on(progress).is_break() {
                return Err(Error::Cancelled);
            }
        }
        spent += search.work();
        for (found, now) in found.iter_mut().zip(search.worst()) {
            if let Some(now) = now
                && found.as_ref().is_none_or(|found| now.margin < found.margin)
            {
                *found = Some(now);
            }
        }
        let before = least;
        least = found.iter().flatten().map(|found| found.margin).fold(f64::INFINITY, f64::min);
        if least == f64::INFINITY {
            return Err(Error::invalid("restrictions", "some list that meets them", "none"));
        }
        if !search.finished() {
            break;
        }
        if least >= before {
            proved = Some(before - PRECISION);
            break;
        }
    }
    let mut found: Vec<Counterexample> = found.into_iter().flatten().collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    Ok(Attack { found, proved })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_allowed(restrictions: Restrictions) -> bool {
        restrictions.allow(&Class { position: 2, token: Some(3), target: 7 })
    }

    #[test]
    fn restrictions_allow_what_they_name_and_nothing_else() {
        let values = |values: &[Token]| is_allowed(Restrictions { values: Some(values.into()), ..Default::default() });
        let position = |position| is_allowed(Restrictions { position: Some(position), ..Default::default() });
        let token = |token| is_allowed(Restrictions { token: Some(token), ..Default::default() });
        let target = |target| is_allowed(Restrictions { target: Some(target), ..Default::default() });
        let min_gap = |gap| is_allowed(Restrictions { min_gap: Some(gap), ..Default::default() });
        let max_gap = |gap| is_allowed(Restrictions { max_gap: Some(gap), ..Default::default() });
        assert!(is_allowed(Restrictions::default()));
        assert_eq!([1, 2, 3].map(position), [false, true, false]);
        assert_eq!([2, 3, 7].map(token), [false, true, false]);
        assert_eq!([3, 7, 8].map(target), [false, true, false]);
        assert_eq!([3, 4, 5].map(min_gap), [true, true, false]);
        assert_eq!([3, 4, 5].map(max_gap), [false, true, true]);
        assert_eq!([values(&[3, 7]), values(&[3, 8]), values(&[2, 7])], [true, false, false]);
        let at_sep = Class { position: 0, token: None, target: 7 };
        assert!(!Restrictions { max_gap: Some(50), ..Default::default() }.allow(&at_sep));
        assert!(!Restrictions { min_gap: Some(0), ..Default::default() }.allow(&at_sep));
        assert!(Restrictions { values: Some(vec![7]), ..Default::default() }.allow(&at_sep));
    }
}
