//! The sizes of a model's circuits.

use crate::{
    Error, Result,
    engine::vector::padded,
    model::{AttentionDir, Config, Positions},
};

/// The sizes of the tables of one model, for sequences of which `positions` positions matter.
///
/// A *feature* is what a row of the residual stream is a sum of: a token (features `0..tokens`) or a position (from
/// `tokens` on).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub heads: usize,
    pub d_model: usize,
    pub d_head: usize,
    pub tokens: usize,
    pub classes: usize,
    /// Positions that can be a query or a key: all, or in a causal model those up to the last predicted one.
    pub positions: usize,
    pub causal: bool,
    pub norms: bool,
    pub eps: f32,
}

/// The most numbers that the tables of one group of lists may have (16 MiB).
const MOST_NUMBERS: usize = 1 << 22;

impl Shape {
    /// The shape for sequences of `seq` tokens whose logits at `predicted` positions are wanted.
    pub fn new(config: &Config, seq: usize, predicted: &[usize]) -> Self {
        let causal = config.attention_dir == AttentionDir::Causal;
        let last = predicted.iter().max().map_or(0, |last| last + 1);
        Self {
            heads: config.n_heads,
            d_model: config.d_model,
            d_head: config.d_head,
            tokens: config.d_vocab,
            classes: config.d_vocab_out,
            positions: if causal { last } else { seq },
            causal,
            norms: config.has_norms(),
            eps: config.eps as f32,
        }
    }

    /// Whether there is a circuit form of models of this config.
    ///
    /// # Errors
    /// Names what it does not cover.
    pub fn check(config: &Config) -> Result<()> {
        let refuse = |expected: &str, found: String| Err(Error::invalid("model for the circuit form", expected, found));
        if config.n_layers != 1 {
            return refuse("one block", format!("{}", config.n_layers));
        }
        if config.mlp.is_some() {
            return refuse("attention only", "an MLP".into());
        }
        if config.positional_embedding_type != Positions::Standard {
            return refuse("standard positional embeddings", "shortformer".into());
        }
        let numbers = Self::new(config, config.n_ctx, &[config.n_ctx - 1]).numbers();
        if numbers > MOST_NUMBERS {
            return refuse(&format!("tables of at most {MOST_NUMBERS} numbers"), format!("{numbers}"));
        }
        Ok(())
    }

    /// Tokens and positions.
    pub fn features(&self) -> usize {
        self.tokens + self.positions
    }

    /// Keys of a list, padded.
    pub fn keys(&self) -> usize {
        padded(self.positions)
    }

    /// Where positions start in a row of the QK circuit.
    pub fn key_tokens(&self) -> usize {
        padded(self.tokens)
    }

    /// Width of a row of the QK circuit: tokens, then positions, both padded.
    pub fn qk_width(&self) -> usize {
        self.key_tokens() + self.keys()
    }

    /// Where logits start in a row that is written: behind the residual vector, whose length the final norm needs.
    pub fn resid_width(&self) -> usize {
        if self.norms { padded(self.d_model) } else { 0 }
    }

    /// Width of a row that is written: the residual vector (where there are norms), then the logits, both padded.
    pub fn row_width(&self) -> usize {
        self.resid_width() + padded(self.classes)
    }

    /// How many keys the query at `position` sees.
    pub fn seen_from(&self, position: usize) -> usize {
        if self.causal { position + 1 } else { self.positions }
    }

    fn numbers(&self) -> usize {
        let heads = self.heads * ((self.features() + 1) * self.qk_width() + self.features() * self.row_width());
        heads + self.features() * self.row_width() + self.tokens * self.positions
    }
}
