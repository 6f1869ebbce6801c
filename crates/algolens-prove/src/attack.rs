//! Attacks: lists with the least margin of their target, by sequential linearization and by branch and bound.

use super::{
    ClassRows, Classes, List, Order, Search, Tables,
    logit_difference::LogitDifference,
    minimizer::Minimizer,
    node::Node,
    oracle::{ABSENT, Region},
    search::Objective,
};
use algolens_check::certificate::{Class, Counterexample};
use algolens_core::{Error, Result, observer::Observer, task::Token};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

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

/// Sequential linearization (Frank–Wolfe with full moves) from the known list with the least Σ ρ_h: replaces Σ ρ_h by
/// its linear part at a list, minimizes that exactly, and starts again from the list found. Every list on the way joins
/// the minimizer's points.
pub(super) fn descend(minimizer: &mut Minimizer, difference: &LogitDifference, region: &Region) {
    const MOST_MOVES: usize = 20;
    let value = |minimizer: &Minimizer, point: usize| difference.sums(&minimizer.points[point].rows).sum_of_ratios();
    let values = (0..minimizer.points.len()).map(|point| (value(minimizer, point), point));
    let Some((mut least, mut at)) = values.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    for _ in 0..MOST_MOVES {
        let (a, b) = difference.sums(&minimizer.points[at].rows).linear_part();
        let Some((_, next)) = minimizer.minimize(difference, region, &a, &b) else { return };
        let found = value(minimizer, next);
        if found >= least {
            return;
        }
        (least, at) = (found, next);
    }
}

/// The worst case that descents from a minimizer's points reach: against the rival of the worst case so far, until none
/// is worse.
pub(super) fn descend_from_worst(minimizer: &mut Minimizer, node: &Node) -> Option<WorstCase> {
    const MOST_ROUNDS: usize = 8;
    let mut worst = WorstCase::among_points(minimizer)?;
    for _ in 0..MOST_ROUNDS {
        let difference =
            LogitDifference::new(minimizer.rows, minimizer.rows.class.target as usize, worst.rival as usize, 0.0);
        descend(minimizer, &difference, &node.region);
        let found = WorstCase::among_points(minimizer)?;
        if found.margin >= worst.margin {
            break;
        }
        worst = found;
    }
    Some(worst)
}

/// Constraints on the lists and predictions that an attack searches.
#[derive(Clone, Debug, Default)]
pub struct Restrictions {
    /// Only this prediction.
    pub position: Option<usize>,
    /// Only predictions made at this token.
    pub token: Option<Token>,
    /// Only predictions whose target is this.
    pub target: Option<Token>,
    /// The least gap between the token that predicts and the target; predictions at SEP have none.
    pub min_gap: Option<Token>,
    /// The largest such gap.
    pub max_gap: Option<Token>,
    /// The values a list may have; all where none are given.
    pub values: Option<Vec<Token>>,
    /// The order in which the unsorted list stands.
    pub order: Order,
}

impl Restrictions {
    /// True if predictions of a class are allowed.
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

    /// Removes forbidden values from a region of a class, whose `tokens` are given.
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

/// Result of an attack: counterexample candidates and a proved lower bound.
#[derive(Clone, Debug, Serialize)]
pub struct Attack {
    /// The worst list of each class, the worst first.
    pub found: Vec<Counterexample>,
    /// A proved lower bound of the margin over every allowed list and prediction; none where nothing was proved.
    pub proved: Option<f64>,
    /// Oracle passes made.
    pub work: u64,
}

/// Progress of an attack.
#[derive(Clone, Copy, Debug)]
pub struct AttackProgress {
    /// The least margin so far.
    pub least: f64,
    /// Classes begun in this search.
    pub done: usize,
    /// Classes in all.
    pub of: usize,
}

/// Complete attack: the lists with the least margin of their target, by descent in every class once, then by branch and
/// bound, within `work` oracle passes, down to a proof that no list is worse than the worst found by more than a gap:
/// 1e-6 logits where that can be proved, else as little as can.
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
    let mut run = AttackRun { tables, restrictions, work: 0, found: BTreeMap::new(), least: f64::INFINITY, observer };
    run.search(&classes, Objective::Attacks, u64::MAX)?;
    if run.least == f64::INFINITY {
        return Err(Error::invalid("restrictions", "some list that meets them", "none"));
    }
    let unclosed = run.search(&classes, Objective::Worst(FINEST), work.saturating_sub(run.work) / 2)?;
    let mut proved = unclosed.is_empty().then_some(run.least - FINEST);
    if !unclosed.is_empty() {
        let classes = classes.only(|class| unclosed.contains(class));
        for gap in COARSER {
            if !run.search(&classes, Objective::Worst(gap), work.saturating_sub(run.work) / 4)?.is_empty() {
                break;
            }
            proved = Some(run.least - gap);
        }
    }
    let work = run.work;
    let mut found: Vec<Counterexample> = run.found.into_values().collect();
    found.sort_by(|a, b| a.margin.total_cmp(&b.margin));
    Ok(Attack { found, proved, work })
}

/// Accumulated results of the several searches of one attack.
struct AttackRun<'a, 'o> {
    tables: &'a Tables,
    restrictions: &'a Restrictions,
    /// Oracle passes made.
    work: u64,
    /// The worst case of each class.
    found: BTreeMap<Class, Counterexample>,
    /// The least margin of those.
    least: f64,
    observer: &'o mut dyn Observer<AttackProgress>,
}

impl AttackRun<'_, '_> {
    /// Runs one branch-and-bound search for at most `work` oracle passes; the classes that it leaves open.
    fn search(&mut self, classes: &Classes, objective: Objective, work: u64) -> Result<HashSet<Class>> {
        let slack = if let Objective::Worst(gap) = objective { self.least - gap } else { 0.0 };
        let mut search = Search::with_objective(self.tables, classes.clone(), slack, self.restrictions, objective);
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
                lists.map(|list| rows.margin(&rows.attended(&list)).0).fold(f64::INFINITY, f64::min)
            });
            let least = margins.fold(f64::INFINITY, f64::min);
            // As if a list were known that is this little above the worst.
            for above in [0.01, 0.3, 3.0] {
                let all = Restrictions::default();
                let mut search =
                    Search::with_objective(&tables, classes.clone(), least + above, &all, Objective::Worst(1e-6));
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
