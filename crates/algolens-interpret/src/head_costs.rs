//! What heads are worth: the cost of ablating each alone, all together, and each one's share of that.

use super::{
    Head, Subject,
    ablation::{Ablation, Part, ablate_from},
    shapley::shapley,
};
use algolens_core::{Result, evaluation::evaluate, task::Dataset};
use std::collections::BTreeMap;

/// Increases of the loss by mean-ablating heads, in nats.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeadCosts {
    /// Each head alone.
    pub alone: BTreeMap<Head, f64>,
    /// All heads together.
    pub together: f64,
    /// The Shapley value of each head: what its ablation adds to the cost of others', averaged over the orders in which heads may be
    /// ablated. They sum to `together`.
    pub shapley: BTreeMap<Head, f64>,
}

/// Lists that are run for all sets of heads together; a set is run on at least [`FEWEST`].
const LISTS: usize = 4000;
/// Fewest lists for a set of heads.
const FEWEST: usize = 50;

/// The costs of a model's heads on data, of which many heads get the first lists only: 4 000 for all their sets together. The
/// Shapley values of more than six heads are averages over four orders.
///
/// # Errors
/// Empty data, or data that does not fit the model.
pub fn head_costs(subject: Subject, data: &Dataset) -> Result<HeadCosts> {
    let heads = Head::all(subject.model.config());
    let lists = (LISTS >> heads.len().min(32)).max(FEWEST).min(data.len());
    let data = data.select(&(0..lists).collect::<Vec<_>>());
    let loss = evaluate(subject.engine, subject.model, &data)?.loss;
    let cost = |set: &[usize]| {
        let parts = set.iter().map(|at| Part::Head(heads[*at])).collect();
        let ablation = Ablation { parts, ..Ablation::default() };
        Ok(ablate_from(subject, loss, &ablation, &data, &data, None)?.loss_increase)
    };
    let mut alone = BTreeMap::new();
    let mut together = 0.0;
    let values = shapley(heads.len(), |set| {
        let cost = cost(set)?;
        if let [at] = set {
            alone.insert(heads[*at], cost);
        }
        if set.len() == heads.len() {
            together = cost;
        }
        Ok(cost)
    })?;
    for (at, head) in heads.iter().enumerate() {
        if !alone.contains_key(head) {
            alone.insert(*head, cost(&[at])?);
        }
    }
    Ok(HeadCosts { alone, together, shapley: heads.iter().copied().zip(values).collect() })
}
