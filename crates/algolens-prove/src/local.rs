//! Local search attacks on any model that runs: moves are swaps of two positions and replacements of one value.

use super::{Classes, Restrictions, class_rows::margin};
use algolens_check::certificate::Counterexample;
use algolens_core::{
    Error, Result,
    engine::{Engine, sequences_at_a_time},
    model::Model,
    random::{self, Twister},
    task::{Dataset, SortedList, Token},
};
use std::collections::BTreeSet;

/// A sorting model with its task and engine: the subject of local search.
#[derive(Clone, Copy)]
pub struct Sorter<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its task.
    pub task: &'a SortedList,
    /// The engine that runs it.
    pub engine: &'a dyn Engine,
}

impl Sorter<'_> {
    /// The least-margin prediction of each list among allowed classes; none where none is allowed.
    fn worst_predictions(
        &self,
        lists: &[Vec<Token>],
        allow: &dyn Fn(&algolens_check::certificate::Class) -> bool,
    ) -> Result<Vec<Option<Counterexample>>> {
        let classes = Classes::of(self.task)?;
        let chunk = sequences_at_a_time(self.task.list_len(), self.model.config().d_vocab_out);
        let mut worst = Vec::with_capacity(lists.len());
        for lists in lists.chunks(chunk) {
            let data = Dataset::from_inputs(self.task, lists)?;
            let logits = self.engine.logits(self.model, data.tokens(), data.positions())?;
            worst.extend(lists.iter().zip(logits.outer_iter()).map(|(list, logits)| {
                let predictions = classes.along(list).into_iter().zip(logits.outer_iter());
                let allowed = predictions.filter(|(class, _)| allow(class)).map(|(class, logits)| {
                    let (margin, rival) = margin(logits, class.target);
                    Counterexample::new(list.clone(), class, margin, rival)
                });
                allowed.min_by(|a, b| a.margin.total_cmp(&b.margin))
            }));
        }
        Ok(worst)
    }

    /// The neighbourhood of a list: every swap of two positions, every replacement of one value.
    fn neighbours(&self, list: &[Token], values: &[Token]) -> Vec<Vec<Token>> {
        let swaps = (0..list.len()).flat_map(|a| (a + 1..list.len()).map(move |b| (a, b))).map(|(a, b)| {
            let mut other = list.to_vec();
            other.swap(a, b);
            other
        });
        let free = values.iter().filter(|value| !list.contains(value));
        let replaced = free.flat_map(|value| {
            (0..list.len()).map(|at| {
                let mut other = list.to_vec();
                other[at] = *value;
                other
            })
        });
        swaps.chain(replaced).collect()
    }

    /// Steepest descent of the margin from random lists: the local minimum of each start, the worst first. Proves
    /// nothing.
    ///
    /// # Errors
    /// Restrictions that no list meets, or a task that does not fit the model.
    pub fn descend(&self, restrictions: &Restrictions, starts: usize, seed: u64) -> Result<Vec<Counterexample>> {
        const MOST_MOVES: usize = 50;
        let all: Vec<Token> = (0..=self.task.max_value()).collect();
        let values: Vec<Token> = restrictions.values.clone().unwrap_or(all);
        let allow = |class: &algolens_check::certificate::Class| restrictions.allow(class);
        let mut rng = random::stream(seed, "attack");
        let mut found: Vec<Counterexample> = Vec::new();
        for _ in 0..starts {
            let mut start = draw(&values, self.task.list_len(), &mut rng)?;
            restrictions.order.apply(&mut start);
            let Some(mut worst) = self.worst_predictions(&[start], &allow)?.remove(0) else { continue };
            for _ in 0..MOST_MOVES {
                let mut near = self.neighbours(&worst.list, &values);
                near.iter_mut().for_each(|list| restrictions.order.apply(list));
                let near = self.worst_predictions(&near, &allow)?;
                let least = near.into_iter().flatten().min_by(|a, b| a.margin.total_cmp(&b.margin));
                match least.filter(|least| least.margin < worst.margin) {
                    Some(least) => worst = least,
                    None => break,
                }
            }
            if !found.iter().any(|found| found.list == worst.list) {
                found.push(worst);
            }
        }
        if found.is_empty() {
            return Err(Error::invalid("restrictions", "some list that meets them", "none among random lists"));
        }
        found.sort_by(|a, b| a.margin.total_cmp(&b.margin));
        Ok(found)
    }

    /// Exact robustness radius of a list that is sorted correctly: the fewest swaps and replacements that make it fail,
    /// and the worst list at that distance; none beyond `most` changes. Enumerates every list so near.
    ///
    /// # Errors
    /// A list that is not the task's, or is sorted wrong itself.
    pub fn fewest_changes(&self, list: &[Token], most: usize) -> Result<Option<(usize, Counterexample)>> {
        self.task.check_list(list)?;
        let values: Vec<Token> = (0..=self.task.max_value()).collect();
        let (mut seen, mut last) = (BTreeSet::from([list.to_vec()]), vec![list.to_vec()]);
        for changes in 0..=most {
            if changes > 0 {
                let near = last.iter().flat_map(|list| self.neighbours(list, &values));
                last = near.filter(|list| seen.insert(list.clone())).collect();
            }
            let wrong = self.worst_predictions(&last, &|_| true)?.into_iter().flatten();
            let worst = wrong.filter(|found| found.margin < 0.0).min_by(|a, b| a.margin.total_cmp(&b.margin));
            match worst {
                Some(_) if changes == 0 => {
                    return Err(Error::invalid("list", "one that the model sorts right", "one that it does not"));
                }
                Some(worst) => return Ok(Some((changes, worst))),
                None => {}
            }
        }
        Ok(None)
    }
}

/// A random list of distinct values, by a partial Fisher–Yates shuffle.
fn draw(values: &[Token], list_len: usize, rng: &mut Twister) -> Result<Vec<Token>> {
    if values.len() < list_len {
        return Err(Error::invalid("values", format!("at least {list_len}"), values.len()));
    }
    let mut values = values.to_vec();
    for at in 0..list_len {
        let other = at + rng.next_u32() as usize % (values.len() - at);
        values.swap(at, other);
    }
    values.truncate(list_len);
    Ok(values)
}
