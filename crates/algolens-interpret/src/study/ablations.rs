//! The cost of every ablation of a model: the increase of its loss.

use crate::{
    Head, Subject,
    ablation::{Ablation, Method, Part, ablate_each},
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
    /// Other parts: `all_heads`, `direct_path`, `pos_embed` in a model that has them, and `mlp_0` … in one that has MLPs.
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
    const METHODS: [Method; 3] = [Method::Mean, Method::Zero, Method::Resample];
    let config = subject.model.config();
    let heads = Head::all(config);
    let mut parts = vec![
        ("all_heads".to_owned(), heads.iter().copied().map(Part::Head).collect()),
        ("direct_path".to_owned(), vec![Part::DirectPath]),
    ];
    if config.positional_embedding_type.has_embeddings() {
        parts.push(("pos_embed".to_owned(), vec![Part::PosEmbed]));
    }
    if !config.attn_only() {
        parts.extend((0..config.n_layers).map(|layer| (format!("mlp_{layer}"), vec![Part::Mlp(layer)])));
    }
    let single = heads.iter().map(|head| vec![Part::Head(*head)]);
    let ablations: Vec<Ablation> = single
        .chain(parts.iter().map(|(_, parts)| parts.clone()))
        .flat_map(|parts| METHODS.map(|method| Ablation { parts: parts.clone(), method, ..Ablation::default() }))
        .collect();
    let ablated = ablate_each(subject, loss_before, &ablations, data, other, None)?;
    let mut costs = ablated.chunks_exact(METHODS.len()).map(|by_method| {
        let cost = |method: usize| by_method[method].loss_increase;
        Costs { mean: cost(0), zero: cost(1), resample: cost(2) }
    });
    let mut table = AblationTable::default();
    for (head, Costs { mean, zero, resample }) in heads.into_iter().zip(&mut costs) {
        table.mean.insert(head, mean);
        table.zero.insert(head, zero);
        table.resample.insert(head, resample);
    }
    table.parts.extend(parts.into_iter().map(|(name, _)| name).zip(costs));
    Ok(table)
}
