//! Failure families: worst case and failure rate of predictions grouped by gap, by position and by order.

use super::{Attack, AttackProgress, Classes, Order, Restrictions, Tables, attack, sorter::Sorter};
use algolens_check::certificate::{Class, Counterexample};
use algolens_core::{
    Result,
    engine::loss::argmax,
    observer::Observer,
    random,
    task::{Dataset, Task, Token},
};
use ndarray::ArrayView1;
use serde::Serialize;

/// A family of predictions, by the property they share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// The gap from the token that predicts to the target.
    Gap(Token),
    /// The position of the prediction.
    Position(usize),
    /// The order of the unsorted list.
    Order(Order),
}

/// Worst case and failure rate of one family.
#[derive(Clone, Debug, Serialize)]
pub struct Failures {
    /// The family.
    pub family: Family,
    /// The worst case found.
    pub worst: Option<Counterexample>,
    /// A proved lower bound of the family's margins; none where nothing was proved.
    pub proved: Option<f64>,
    /// Number of the family's predictions in the sample.
    pub predictions: usize,
    /// The share of these that are wrong.
    pub rate: f64,
}

/// Worst case and failure rate of every family: by gap, by position and by order. Worst cases are proved as far as
/// their share of `work` goes: see [`attack()`].
///
/// # Errors
/// [`Error::Cancelled`](algolens_core::Error::Cancelled) when the observer asks to stop.
pub fn failures_by_family(
    sorter: Sorter,
    tables: &Tables,
    samples: usize,
    work: u64,
    observer: &mut dyn Observer<AttackProgress>,
) -> Result<Vec<Failures>> {
    let classes = Classes::of(sorter.task)?;
    let data = Dataset::generate(sorter.task, samples, &mut random::stream(0, "attack/families"))?;
    let drawn = Outcomes::of(sorter, &data)?;
    let mut gaps: Vec<Token> = classes.all().iter().filter_map(Class::gap).collect();
    gaps.sort_unstable();
    gaps.dedup();
    let by_gap = gaps.into_iter().map(|gap| {
        (Family::Gap(gap), Restrictions { min_gap: Some(gap), max_gap: Some(gap), ..Restrictions::default() })
    });
    let by_position = (0..sorter.task.list_len())
        .map(|at| (Family::Position(at), Restrictions { position: Some(at), ..Restrictions::default() }));
    let by_order = [Order::Any, Order::Ascending, Order::Descending]
        .map(|order| (Family::Order(order), Restrictions { order, ..Restrictions::default() }));
    let families: Vec<(Family, Restrictions)> = by_gap.chain(by_position).chain(by_order).collect();
    let (mut all, mut work_left, count) = (Vec::new(), work, families.len());
    for (at, (family, restrictions)) in families.into_iter().enumerate() {
        // Work that a family leaves is shared by those after it.
        let share = work_left / (count - at) as u64;
        let Attack { found, proved, work } = attack(tables, &classes, &restrictions, share, observer)?;
        work_left = work_left.saturating_sub(work);
        let (predictions, rate) = match family {
            Family::Order(order) if order != Order::Any => {
                Outcomes::of(sorter, &in_order(sorter, &data, order)?)?.rate(|_| true)
            }
            _ => drawn.rate(|class| restrictions.allow(class)),
        };
        all.push(Failures { family, worst: found.into_iter().next(), proved, predictions, rate });
    }
    Ok(all)
}

/// The same lists, each sorted into an order.
fn in_order(sorter: Sorter, data: &Dataset, order: Order) -> Result<Dataset> {
    let ordered = |tokens: ArrayView1<Token>| {
        let mut list: Vec<Token> = tokens.iter().take(sorter.task.list_len()).copied().collect();
        order.apply(&mut list);
        list
    };
    let lists: Vec<Vec<Token>> = data.tokens().outer_iter().map(ordered).collect();
    Dataset::from_inputs(sorter.task as &dyn Task, &lists)
}

/// Outcomes of sampled predictions: class, and true where the prediction is wrong.
struct Outcomes(Vec<(Class, bool)>);

impl Outcomes {
    /// Runs a model on sampled lists.
    fn of(sorter: Sorter, data: &Dataset) -> Result<Self> {
        const CHUNK: usize = 1024;
        let mut predictions = Vec::new();
        for chunk in data.chunks(CHUNK) {
            let logits = sorter.engine.logits(sorter.model, chunk.tokens(), chunk.positions())?;
            for (tokens, logits) in chunk.tokens().outer_iter().zip(logits.outer_iter()) {
                let list: Vec<Token> = tokens.iter().take(sorter.task.list_len()).copied().collect();
                let pairs = Classes::along(&list).into_iter().zip(logits.outer_iter());
                predictions.extend(pairs.map(|(class, logits)| (class, argmax(logits) as Token != class.target)));
            }
        }
        Ok(Self(predictions))
    }

    /// Number of predictions of allowed classes, and the share of these that are wrong.
    fn rate(&self, allow: impl Fn(&Class) -> bool) -> (usize, f64) {
        let allowed = self.0.iter().filter(|(class, _)| allow(class));
        let (all, wrong) =
            allowed.fold((0, 0), |(all, wrong), (_, is_wrong)| (all + 1, wrong + usize::from(*is_wrong)));
        (all, wrong as f64 / all.max(1) as f64)
    }
}
