//! Parts of a config, as people and files say them.

use crate::{
    Error, Result,
    model::{ActFn, AttentionDir, Normalization, Positions},
    task::Token,
};
use serde::{Deserialize, Serialize};

macro_rules! settings {
    ($($(#[$doc:meta])* $part:ident: $value:ty,)*) => {
        /// Parts of a config, as a user or a config file says them, in the words of TransformerLens's `HookedTransformerConfig`;
        /// what nobody says is none.
        #[derive(Clone, Debug, Default, PartialEq)]
        pub struct Settings {
            $($(#[$doc])* pub $part: Option<$value>,)*
        }

        impl Settings {
            pub(super) const PARTS: &[&str] = &[$(stringify!($part)),*];

            /// What these say and what others say.
            ///
            /// # Errors
            /// A part of which they say different things.
            pub fn and(self, others: Self) -> Result<Self> {
                Ok(Self { $($part: one(stringify!($part), self.$part, others.$part)?,)* })
            }
        }
    };
}

/// The one value that is said of a part, once or twice.
fn one<V: PartialEq + Serialize>(what: &str, said: Option<V>, again: Option<V>) -> Result<Option<V>> {
    match (said, again) {
        (Some(said), Some(again)) if said != again => {
            Err(Error::invalid(what, format!("{} again", shown(&said)), shown(&again)))
        }
        (said, again) => Ok(said.or(again)),
    }
}

settings! {
    /// Blocks.
    n_layers: usize,
    /// Attention heads a block.
    n_heads: usize,
    /// Heads with keys and values of their own.
    n_key_value_heads: usize,
    /// Width of the residual stream.
    d_model: usize,
    /// Width of a head.
    d_head: usize,
    /// Hidden width of the MLPs.
    d_mlp: usize,
    /// Whether blocks have no MLP.
    attn_only: bool,
    /// The MLPs' activation function.
    act_fn: ActFn,
    /// Whether the MLPs are gated.
    gated_mlp: bool,
    /// Whether an MLP reads what its block's attention reads.
    parallel_attn_mlp: bool,
    /// The longest sequence.
    n_ctx: usize,
    /// Tokens.
    d_vocab: usize,
    /// Output classes.
    d_vocab_out: usize,
    /// The norm.
    normalization_type: Normalization,
    /// Whether the last norm is a root-mean-square one.
    final_rms: bool,
    /// Added to the variance inside norms.
    eps: f64,
    /// Who attends to whom.
    attention_dir: AttentionDir,
    /// The window of each layer.
    attn_windows: Vec<Option<usize>>,
    /// What scores are divided by.
    attn_scale: f64,
    /// Whether they are divided by the layer's number besides.
    scale_attn_by_inverse_layer_idx: bool,
    /// The soft cap of scores; 0 for none.
    attn_scores_soft_cap: f64,
    /// The soft cap of logits; 0 for none.
    output_logits_soft_cap: f64,
    /// The token that nobody attends to.
    pad_token: Token,
    /// Where positions enter.
    positional_embedding_type: PositionalEmbedding,
    /// Dimensions of a head that are rotated.
    rotary_dim: usize,
    /// The base of rotary angles.
    rotary_base: f64,
    /// Whether adjacent dimensions are rotated together.
    rotary_adjacent_pairs: bool,
    /// Whether the unembedding is the embedding, transposed.
    tie_word_embeddings: bool,
}

/// Where positions enter, by name: [`Positions`](crate::model::Positions) without the numbers of rotary ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PositionalEmbedding {
    /// Embeddings in the residual stream.
    Standard,
    /// Embeddings beside queries' and keys' inputs.
    Shortformer,
    /// Rotated queries and keys.
    Rotary,
    /// Nowhere.
    None,
}

impl From<Positions> for PositionalEmbedding {
    fn from(positions: Positions) -> Self {
        match positions {
            Positions::Standard => Self::Standard,
            Positions::Shortformer => Self::Shortformer,
            Positions::Rotary(_) => Self::Rotary,
            Positions::None => Self::None,
        }
    }
}

/// What JSON calls a value; `none` for null.
pub(super) fn shown<V: Serialize>(value: &V) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::Null) | Err(_) => "none".into(),
        Ok(json) => json.as_str().map_or_else(|| json.to_string(), str::to_owned),
    }
}
