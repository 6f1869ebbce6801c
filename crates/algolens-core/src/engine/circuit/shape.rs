//! The sizes of a model's circuits.

use crate::{
    Error, Result,
    engine::{
        products::runs,
        vector::{LANES, padded},
    },
    model::{Config, Normalization, Positions},
};
use std::ops::Range;

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
    /// The norm before attention.
    pub norm: Normalization,
    /// The norm before the unembedding.
    pub final_norm: Normalization,
    pub eps: f32,
}

/// The most numbers that the tables, and what they are made from, may have (16 MiB; each group has tables of its own).
const MOST_NUMBERS: u128 = 1 << 22;

/// The options beyond the post's family that change no more than what the tables are made from.
const COVERED: [&str; 8] = [
    "n_key_value_heads",
    "normalization_type",
    "final_normalization_type",
    "attn_scale",
    "scale_attn_by_inverse_layer_idx",
    "positional_embedding_type",
    "biases",
    "tie_word_embeddings",
];

impl Shape {
    /// The shape for sequences of which this many positions matter.
    pub fn new(config: &Config, positions: usize) -> Self {
        Self {
            heads: config.n_heads,
            d_model: config.d_model,
            d_head: config.d_head,
            tokens: config.d_vocab,
            classes: config.d_vocab_out,
            positions,
            norm: config.normalization_type,
            final_norm: config.final_normalization(),
            eps: config.eps as f32,
        }
    }

    /// Whether there is a circuit backend of models of this config.
    ///
    /// # Errors
    /// Names what it does not cover; [`Error::TooLarge`] where it would, but for the size of the tables.
    pub fn check(config: &Config) -> Result<()> {
        const WHAT: &str = "model for the circuit backend";
        let refuse = |expected: &str, found: String| Err(Error::invalid(WHAT, expected, found));
        if config.n_layers != 1 {
            return refuse("one block", format!("{}", config.n_layers));
        }
        if config.mlp.is_some() {
            return refuse("attention only", "an MLP".into());
        }
        if !matches!(config.positional_embedding_type, Positions::Standard | Positions::None) {
            return refuse("standard positional embeddings, or none", "others".into());
        }
        if let Some(option) = config.beyond_post().find(|option| !COVERED.contains(option)) {
            return refuse("no option that it does not cover", option.into());
        }
        let numbers = Self::new(config, config.n_ctx).numbers();
        if numbers > MOST_NUMBERS {
            let most = format!("tables of at most {MOST_NUMBERS} numbers");
            return Err(Error::TooLarge { what: WHAT, most, found: numbers });
        }
        Ok(())
    }

    /// Tokens and positions.
    pub fn features(&self) -> usize {
        self.tokens + self.positions
    }

    /// Keys of a sequence, padded.
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

    /// Whether logits are of normalised residual vectors.
    pub fn has_final_norm(&self) -> bool {
        self.final_norm != Normalization::None
    }

    /// Where logits start in a row that is written: behind the residual vector, whose length the final norm needs.
    pub fn resid_width(&self) -> usize {
        if self.has_final_norm() { padded(self.d_model) } else { 0 }
    }

    /// Width of a row that is written: the residual vector (where there is a final norm), then the logits, both padded.
    pub fn row_width(&self) -> usize {
        self.resid_width() + padded(self.classes)
    }

    /// The columns of a row that is written, in runs: few enough that one run of all rows stays in a core's nearest cache.
    pub fn column_runs(&self) -> impl Iterator<Item = Range<usize>> {
        /// 48 KiB.
        const NUMBERS: usize = 12 << 10;
        let most = (NUMBERS / (self.features() * LANES)).max(1);
        runs(self.row_width() / LANES, most).map(|run| run.start * LANES..run.end * LANES)
    }

    /// The numbers of all tables and of what they are made from.
    fn numbers(&self) -> u128 {
        let [heads, d_model, d_head, tokens, positions, classes, features, qk, row] = [
            self.heads,
            self.d_model,
            self.d_head,
            self.tokens,
            self.positions,
            self.classes,
            self.features(),
            self.qk_width(),
            self.row_width(),
        ]
        .map(|size| size as u128);
        let tables = (features + 1) * qk + features * row;
        let made_from = features * (3 * d_head + 2 * d_model) + d_model * classes;
        heads * (tables + made_from) + features * row + tokens * positions
    }
}
