//! What every ablation costs a model.

use crate::{
    Head, Subject,
    ablation::{Ablation, Method, Part, ablate_from},
};
use algolens_core::{Result, task::Dataset};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Increases of the loss, in nats, by what was ablated and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AblationTable {
    /// Each head replaced by its mean over the data.
    pub mean: BTreeMap<Head, f64>,
    /// Each head replaced by zero.
    pub zero: BTreeMap<Head, f64>,
    /// Each head replaced by what it is on other data.
    pub resample: BTreeMap<Head, f64>,
    /// Other parts: `all_heads`, `direct_path`, `pos_embed`.
    pub parts: BTreeMap<String, Costs>,
}

/// Increases of the loss, in nats, by how a part was ablated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Replaced by its mean over the data.
    pub mean: f64,
    /// Replaced by zero.
    pub zero: f64,
    /// Replaced by what it is on other data.
    pub resample: f64,
}

impl AblationTable {
    /// Every head and part by name, heads first.
    pub fn rows(&self) -> Vec<(String, Costs)> {
        let of = |column: &BTreeMap<Head, f64>, head: &Head| column.get(head).copied().unwrap_or(f64::NAN);
        let costs = |(head, mean): (&Head, &f64)| {
            let costs = Costs { mean: *mean, zero: of(&self.zero, head), resample: of(&self.resample, head) };
            (head.to_string(), costs)
        };
        let parts = self.parts.iter().map(|(name, costs)| (name.replace('_', " "), *costs));
        self.mean.iter().map(costs).chain(parts).collect()
    }
}

/// What ablations cost a model whose loss on `data` is `loss_before`.
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

/// What mean-ablating each head costs a model whose loss on `data` is `loss_before`, in nats.
pub(super) fn mean_ablations(subject: Subject, loss_before: f64, data: &Dataset) -> Result<BTreeMap<Head, f64>> {
    let cost = |head: Head| {
        let ablation = Ablation { parts: vec![Part::Head(head)], ..Ablation::default() };
        Ok((head, ablate_from(subject, loss_before, &ablation, data, data, None)?.loss_increase))
    };
    Head::all(subject.model.config()).into_iter().map(cost).collect()
}
