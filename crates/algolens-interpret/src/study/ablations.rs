//! The cost of every ablation of a model: the increase of its loss.

use crate::{
    Head, Subject,
    ablation::{Ablation, Method, Part, ablate_from},
};
use algolens_core::{Result, task::Dataset};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Increases of the loss, in nats, by ablated part and method.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AblationTable {
    /// Mean ablation of each head, over the evaluation data.
    pub mean: BTreeMap<Head, f64>,
    /// Zero ablation of each head.
    pub zero: BTreeMap<Head, f64>,
    /// Resample ablation of each head, from other data.
    pub resample: BTreeMap<Head, f64>,
    /// Other parts: `all_heads`, `direct_path`, `pos_embed`.
    pub parts: BTreeMap<String, Costs>,
}

/// Increases of the loss, in nats, by the method of ablation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Mean ablation.
    pub mean: f64,
    /// Zero ablation.
    pub zero: f64,
    /// Resample ablation.
    pub resample: f64,
}

impl AblationTable {
    /// The table's rows: every head and part by name, heads first.
    pub fn rows(&self) -> Vec<(String, Costs)> {
        let cost = |column: &BTreeMap<Head, f64>, head: &Head| column.get(head).copied().unwrap_or(f64::NAN);
        let costs = |(head, mean): (&Head, &f64)| {
            let costs = Costs { mean: *mean, zero: cost(&self.zero, head), resample: cost(&self.resample, head) };
            (head.to_string(), costs)
        };
        let parts = self.parts.iter().map(|(name, costs)| (name.replace('_', " "), *costs));
        self.mean.iter().map(costs).chain(parts).collect()
    }
}

/// The ablation table of a model whose loss on `data` is `loss_before`.
pub(super) fn ablation_table(
    subject: Subject,
    loss_before: f64,
    data: &Dataset,
    other: &Dataset,
) -> Result<AblationTable> {
    let costs = |parts: &[Part]| -> Result<Costs> {
        let cost = |method| {
            let ablation = Ablation { parts: parts.to_vec(), method, ..Ablation::default() };
            Ok(ablate_from(subject, loss_before, &ablation, data, other, None)?.loss_increase)
        };
        Ok(Costs { mean: cost(Method::Mean)?, zero: cost(Method::Zero)?, resample: cost(Method::Resample)? })
    };
    let mut table = AblationTable::default();
    let heads = Head::all(subject.model.config());
    for &head in &heads {
        let Costs { mean, zero, resample } = costs(&[Part::Head(head)])?;
        table.mean.insert(head, mean);
        table.zero.insert(head, zero);
        table.resample.insert(head, resample);
    }
    let all: Vec<Part> = heads.into_iter().map(Part::Head).collect();
    table.parts.insert("all_heads".into(), costs(&all)?);
    table.parts.insert("direct_path".into(), costs(&[Part::DirectPath])?);
    table.parts.insert("pos_embed".into(), costs(&[Part::PosEmbed])?);
    Ok(table)
}
