//! What every part of a pass reads: the model, its packed weights, and the queries of each block.

use super::weights::Packed;
use crate::{
    engine::queries::Queries,
    model::{Config, Mlp, Model},
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

/// The queries of each block.
pub struct Plan {
    last: Queries,
    /// Of every block but the last: all positions that matter.
    inner: Queries,
    layers: usize,
}

impl Plan {
    pub fn new(config: &Config, seq: usize, predicted: &[usize]) -> Self {
        let last = Queries::new(config.attention_dir, seq, predicted);
        let all: Vec<usize> = (0..last.keys).collect();
        Self { inner: Queries::new(config.attention_dir, seq, &all), last, layers: config.n_layers }
    }

    /// Positions that matter.
    pub fn keys(&self) -> usize {
        self.last.keys
    }

    /// The queries of a block.
    pub fn queries(&self, layer: usize) -> &Queries {
        if layer + 1 == self.layers { &self.last } else { &self.inner }
    }

    /// Whether a block's queries are all positions that matter.
    pub fn all_are_queries(&self, layer: usize) -> bool {
        let all = |queries: &Queries| queries.all.iter().map(|query| query.position).eq(0..queries.keys);
        all(self.queries(layer))
    }

    /// The predicted positions.
    pub fn predicted(&self) -> &Queries {
        &self.last
    }
}
