//! Lists on which the right answer does worst.

use super::{
    ClassRows, Classes, List, Order, Search, Tables,
    contest::Contest,
    node::Node,
    oracle::{ABSENT, Region},
    prover::Prover,
    search::Aim,
};
use algolens_check::certificate::{Class, Counterexample};
use algolens_core::{Error, Result, observer::Observer, task::Token};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

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

    /// The worst of some lists of a class.
    pub fn worst_among(rows: &ClassRows, lists: &[List]) -> Option<Self> {
        lists.iter().fold(None, |worst, &list| {
            let (margin, rival) = rows.margin(&rows.of_list(&list));
            Self::worse(worst, Some(Self { list, margin, rival }))
        })
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
    /// The order in which the unsorted list stands.
    pub order: Order,
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
    /// Every list and prediction that the attack may use has at least this margin; none where nothing was proved.
    pub proved: Option<f64>,
    /// Passes of the oracle that were made.
    pub work: u64,
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
/// oracle, for a proof that none is worse than the worst, taking in lists that are: by more than 1e-6 logits where that
/// can be proved, else by as little as can.
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
    /// Logits by which another list may be worse yet: tried first, and of classes where it fails, one after another.
    const FINEST: f64 = 1e-6;
    const COARSER: [f64; 12] = [16.0, 8.0, 4.0, 2.0, 1.0, 0.5, 0.25, 0.1, 0.03, 0.01, 1e-3, 1e-4];
    let classes = classes.only(|class| restrictions.allow(class));
    let mut hunt = Hunt { tables, restrictions, work: 0, found: BTreeMap::new(), least: f64::INFINITY, observer };
    hunt.run(&classes, Aim::Attacks, u64::MAX)?;
    if hunt.least == f64::INFINITY {
        return Err(Error::invalid("restrictions", "some list that meets them", "none"));
    }
    let unclosed = hunt.run(&classes, Aim::Worst(FINEST), work.saturating_sub(hunt.work) / 2)?;
    let mut proved = unclosed.is_empty().then_some(hunt.least - FINEST);
    if !unclosed.is_empty() {
        let classes = classes.only(|class| unclosed.contains(class));
        for gap in COARSER {
            if !hunt.run(&classes, Aim::Worst(gap), work.saturating_sub(hunt.work) / 4)?.is_empty() {
                break;
            }
            proved = Some(hunt.least - gap);
        }
    }
    let work = hunt.work;
    let mut found: Vec<Counterexample> = hunt.found.into_values().collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    Ok(Attack { found, proved, work })
}

/// What several searches find together.
struct Hunt<'a, 'o> {
    tables: &'a Tables,
    restrictions: &'a Restrictions,
    /// Passes of the oracle that were made.
    work: u64,
    /// The worst list of each class.
    found: BTreeMap<Class, Counterexample>,
    /// The least margin of those.
    least: f64,
    observer: &'o mut dyn Observer<AttackProgress>,
}

impl Hunt<'_, '_> {
    /// One search, for at most so many passes; the classes that are not closed after it.
    fn run(&mut self, classes: &Classes, aim: Aim, work: u64) -> Result<HashSet<Class>> {
        let slack = if let Aim::Worst(gap) = aim { self.least - gap } else { 0.0 };
        let mut search = Search::aimed(self.tables, classes.clone(), slack, self.restrictions, aim);
        while !search.finished() && search.work() < work {
            search.advance();
            self.least = self.least.min(search.least_margin());
            let progress = AttackProgress { least: self.least, done: search.begun(), of: classes.all().len() };
            if self.observer.on(progress).is_break() {
                return Err(Error::Cancelled);
            }
        }
        self.work += search.work();
        for (class, found) in classes.all().iter().zip(search.worst()) {
            let Some(found) = found else { continue };
            if self.found.get(class).is_none_or(|known| found.margin < known.margin) {
                self.found.insert(*class, found);
            }
        }
        Ok(search.unclosed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ClassRows,
        oracle::tests::{every_list, random_model},
    };
    use algolens_core::task::SortedList;
    use std::ops::ControlFlow;

    /// Without a first attack the lists that do worst are found in parts of classes, and one by one.
    #[test]
    fn the_worst_list_is_found_wherever_it_is() {
        for seed in 0..12 {
            let task = SortedList::new(5, 8).unwrap();
            let tables = Tables::of(&random_model(&task, 2, seed), &task).unwrap();
            let classes = Classes::of(&task).unwrap();
            let margins = classes.all().iter().map(|class| {
                let rows = ClassRows::of(&tables, *class);
                let lists = every_list(5, 9).into_iter().filter(|list| rows.has(list));
                lists.map(|list| rows.margin(&rows.of_list(&list)).0).fold(f64::INFINITY, f64::min)
            });
            let least = margins.fold(f64::INFINITY, f64::min);
            // As if a list were known that is this little above the worst.
            for above in [0.01, 0.3, 3.0] {
                let all = Restrictions::default();
                let mut search = Search::aimed(&tables, classes.clone(), least + above, &all, Aim::Worst(1e-6));
                while !search.finished() {
                    assert!(!search.unclosed().is_empty());
                    search.advance();
                }
                assert!(search.unclosed().is_empty());
                assert!((search.least_margin() - least).abs() < 1e-9, "{} and {least}", search.least_margin());
                assert!((search.slack() - (least - 1e-6)).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn without_work_nothing_is_proved() {
        let task = SortedList::new(3, 6).unwrap();
        let tables = Tables::of(&random_model(&task, 1, 0), &task).unwrap();
        let classes = Classes::of(&task).unwrap();
        let mut go_on = |_: AttackProgress| ControlFlow::Continue(());
        let attack = |work, observer: &mut dyn Observer<AttackProgress>| {
            attack(&tables, &classes, &Restrictions::default(), work, observer).unwrap()
        };
        let (none, all) = (attack(0, &mut go_on), attack(u64::MAX, &mut go_on));
        assert_eq!(none.proved, None);
        assert!(!none.found.is_empty() && all.proved.is_some() && all.work > none.work);
    }

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
