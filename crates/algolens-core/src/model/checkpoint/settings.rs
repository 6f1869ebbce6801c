//! What is said of a model beside its tensors.

use crate::{
    Error, Result,
    model::{ActFn, AttentionDir, Normalization, Positions},
    task::Token,
};
use serde::{Deserialize, Serialize};

/// Parts of a config, as a user or a config file says them, in the words of TransformerLens's `HookedTransformerConfig`;
/// what nobody says is none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// Blocks.
    pub n_layers: Option<usize>,
    /// Attention heads a block.
    pub n_heads: Option<usize>,
    /// Heads with keys and values of their own.
    pub n_key_value_heads: Option<usize>,
    /// Width of the residual stream.
    pub d_model: Option<usize>,
    /// Width of a head.
    pub d_head: Option<usize>,
    /// Hidden width of the MLPs.
    pub d_mlp: Option<usize>,
    /// Whether blocks have no MLP.
    pub attn_only: Option<bool>,
    /// The MLPs' activation function.
    pub act_fn: Option<ActFn>,
    /// Whether the MLPs are gated.
    pub gated_mlp: Option<bool>,
    /// Whether an MLP reads what its block's attention reads.
    pub parallel_attn_mlp: Option<bool>,
    /// The longest sequence.
    pub n_ctx: Option<usize>,
    /// Tokens.
    pub d_vocab: Option<usize>,
    /// Output classes.
    pub d_vocab_out: Option<usize>,
    /// The norm.
    pub normalization_type: Option<Normalization>,
    /// Whether the last norm is a root-mean-square one.
    pub final_rms: Option<bool>,
    /// Added to the variance inside norms.
    pub eps: Option<f64>,
    /// Who attends to whom.
    pub attention_dir: Option<AttentionDir>,
    /// The window of each layer.
    pub attn_windows: Option<Vec<Option<usize>>>,
    /// What scores are divided by.
    pub attn_scale: Option<f64>,
    /// Whether they are divided by the layer's number besides.
    pub scale_attn_by_inverse_layer_idx: Option<bool>,
    /// The soft cap of scores; 0 for none.
    pub attn_scores_soft_cap: Option<f64>,
    /// The soft cap of logits; 0 for none.
    pub output_logits_soft_cap: Option<f64>,
    /// The token that nobody attends to.
    pub pad_token: Option<Token>,
    /// Where positions enter.
    pub positional_embedding_type: Option<PositionalEmbedding>,
    /// Dimensions of a head that are rotated.
    pub rotary_dim: Option<usize>,
    /// The base of rotary angles.
    pub rotary_base: Option<f64>,
    /// Whether adjacent dimensions are rotated together.
    pub rotary_adjacent_pairs: Option<bool>,
    /// Whether the unembedding is the embedding, transposed.
    pub tie_word_embeddings: Option<bool>,
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

/// What is said of a model beside its file: what the file does not tell, by whom, and what of the file is meant.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hints {
    /// By the user.
    pub said: Settings,
    /// By a config file.
    pub config: Settings,
    /// Where in the file the state dict stands, where there are several: keys parted by dots, those of lists numbers.
    pub key: Option<String>,
    /// The names of tensors that are no weights, and are passed over; `*` stands for anything.
    pub ignore: Vec<String>,
}

impl From<Settings> for Hints {
    fn from(said: Settings) -> Self {
        Self { said, ..Self::default() }
    }
}

/// How a part of a config is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The file's tensors determine it.
    File,
    /// A config file says so.
    Config,
    /// The user said so.
    Flag,
    /// Nobody said: the usual value.
    Assumed,
}

impl Hints {
    /// What is said of one part, and by whom.
    ///
    /// # Errors
    /// A user who contradicts the config file.
    pub(super) fn get<V: Clone + PartialEq + Serialize>(
        &self,
        what: &'static str,
        part: impl Fn(&Settings) -> Option<V>,
    ) -> Result<Option<(V, Source)>> {
        match (part(&self.said), part(&self.config)) {
            (Some(said), Some(config)) if said != config => {
                Err(Error::invalid(what, format!("the config file's {}", shown(&config)), shown(&said)))
            }
            (Some(said), _) => Ok(Some((said, Source::Flag))),
            (None, Some(config)) => Ok(Some((config, Source::Config))),
            (None, None) => Ok(None),
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
