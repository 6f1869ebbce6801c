//! What every part of a pass reads: the model, its packed weights, and the queries of each block.

use super::{bend::Bend, weights::Packed};
use crate::{
    engine::{queries::Queries, rotary::Angles},
    model::{AttentionDir, Config, Mlp, Model},
};

/// A model on its way over a batch.
#[derive(Clone, Copy)]
pub struct Pass<'a> {
    pub model: &'a Model,
    pub packed: &'a Packed,
    pub plan: &'a Plan,
}

impl Pass<'_> {
    pub fn eps(&self) -> f32 {
        self.model.config().eps as f32
    }

    pub fn mlp(&self) -> Mlp {
        self.model.config().mlp.expect("only models with an MLP run one")
    }
}

/// The rows and the queries of each block.
pub struct Plan {
    /// The positions whose rows go through all blocks but the last.
    rows: Vec<usize>,
    last: Queries,
    /// Of every block but the last: all rows.
    inner: Queries,
    layers: usize,
    attends: bool,
    causal: bool,
    /// Of rotary positions.
    pub angles: Option<Angles<f32>>,
    pub bend: Option<Bend>,
}

impl Plan {
    pub fn new(config: &Config, seq: usize, predicted: &[usize]) -> Self {
        let direction = Bend::direction(config);
        let last = Queries::new(direction, seq, predicted);
        let rows = if attends(config) { (0..last.keys).collect() } else { predicted.to_vec() };
        Self {
            inner: Queries::new(direction, seq, &rows),
            rows,
            last,
            layers: config.n_layers,
            attends: attends(config),
            causal: direction == AttentionDir::Causal,
            angles: config.positional_embedding_type.rotary().map(|rotary| Angles::new(rotary, seq)),
            bend: Bend::of(config, seq),
        }
    }

    /// The positions that matter, a row each: the keys of every block. Without attention, the predicted ones, in the order and
    /// as often as they were asked for.
    pub fn rows(&self) -> &[usize] {
        &self.rows
    }

    /// How many [`rows`](Self::rows) a sequence has.
    pub fn keys(&self) -> usize {
        self.rows.len()
    }

    /// The queries of a block.
    pub fn queries(&self, layer: usize) -> &Queries {
        if self.is_last(layer) { &self.last } else { &self.inner }
    }

    /// Whether a block's queries are all positions that matter.
    pub fn all_are_queries(&self, layer: usize) -> bool {
        let all = |queries: &Queries| queries.all.iter().map(|query| query.position).eq(self.rows.iter().copied());
        all(self.queries(layer))
    }

    /// Whether a block is the last.
    pub fn is_last(&self, layer: usize) -> bool {
        layer + 1 == self.layers
    }

    /// Whether what a row computes depends on the tokens up to its own alone, and predicted positions ascend: sequences may
    /// then share what they compute for a prefix that they share.
    pub fn shares_prefixes(&self) -> bool {
        let ascend = self.last.all.is_sorted_by(|a, b| a.position < b.position);
        self.attends && self.causal && self.bend.is_none() && ascend
    }

    /// How many predicted positions there are among the first so many.
    pub fn predictions_before(&self, position: usize) -> usize {
        self.last.all.iter().take_while(|query| query.position < position).count()
    }

    /// The predicted positions.
    pub fn predicted(&self) -> &Queries {
        &self.last
    }
}

/// Whether positions of a model see others.
pub fn attends(config: &Config) -> bool {
    config.n_layers > 0 && config.n_heads > 0
}
