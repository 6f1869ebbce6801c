//! Attacks: lists with the least margin of their target, found by descent and proved worst by branch and bound.

use super::{Classes, Restrictions, Search, Tables, search::Objective};
use algolens_check::certificate::{Class, Counterexample};
use algolens_core::{Error, Result, observer::Observer};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

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
    use crate::{ClassRows, oracle::tests::lists};
    use algolens_core::task::SortedList;
    use algolens_testing::{SortingKind, random_sorting_model};
    use std::ops::ControlFlow;

    /// Without a first attack the lists that do worst are found in parts of classes, and one by one.
    #[test]
    fn the_worst_list_is_found_wherever_it_is() {
        for seed in 0..12 {
            let task = SortedList::new(5, 8).unwrap();
            let tables = Tables::of(&random_sorting_model(&task, SortingKind::with_heads(2), seed), &task).unwrap();
            let classes = Classes::of(&task).unwrap();
            let margins = classes.all().iter().map(|class| {
                let rows = ClassRows::of(&tables, *class);
                let lists = lists(5, 9).into_iter().filter(|list| rows.has(list));
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
        let tables = Tables::of(&random_sorting_model(&task, SortingKind::with_heads(1), 0), &task).unwrap();
        let classes = Classes::of(&task).unwrap();
        let mut go_on = |_: AttackProgress| ControlFlow::Continue(());
        let attack = |work, observer: &mut dyn Observer<AttackProgress>| {
            attack(&tables, &classes, &Restrictions::default(), work, observer).unwrap()
        };
        let (none, all) = (attack(0, &mut go_on), attack(u64::MAX, &mut go_on));
        assert_eq!(none.proved, None);
        assert!(!none.found.is_empty() && all.proved.is_some() && all.work > none.work);
    }
}
