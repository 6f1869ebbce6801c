//! The shape of a model, in TransformerLens's words.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A small transformer of the family that TransformerLens's `HookedTransformerConfig` spans for toy models.
///
/// Attention scores are scaled by 1/√d_head; the residual stream has width `d_model`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Blocks.
    pub n_layers: usize,
    /// Attention heads a block.
    pub n_heads: usize,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// The MLP of each block; none in an attention-only model.
    pub mlp: Option<Mlp>,
    /// The longest sequence.
    pub n_ctx: usize,
    /// Tokens.
    pub d_vocab: usize,
    /// Output classes.
    pub d_vocab_out: usize,
    /// The norm before attention, before the MLP and before the unembedding.
    pub normalization_type: Normalization,
    /// Who may attend to whom.
    pub attention_dir: AttentionDir,
    /// Where positions enter.
    pub positional_embedding_type: Positions,
    /// Added to the variance inside every norm.
    pub eps: f64,
}

/// An MLP: `act_fn(x W_in + b_in) W_out + b_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    /// Hidden width.
    pub d_mlp: usize,
    /// Activation function.
    pub act_fn: ActFn,
}

/// An MLP's activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActFn {
    /// max(x, 0).
    Relu,
    /// x Φ(x), Φ the normal distribution function.
    Gelu,
    /// The tanh approximation of `gelu` that GPT-2 uses.
    GeluNew,
    /// x / (1 + e⁻ˣ).
    Silu,
}

/// A norm over the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// Layer norm with weight and bias.
    LN,
    /// Layer norm without them (what folding leaves).
    LNPre,
    /// No norm.
    #[serde(rename = "none")]
    None,
}

/// Who may attend to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttentionDir {
    /// A position attends to itself and to earlier ones.
    Causal,
    /// Every position attends to every position.
    Bidirectional,
}

/// Where positional embeddings enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Added to the residual stream at the start.
    Standard,
    /// Added to what queries and keys are computed from, in every block, after the norm; never in the residual stream
    /// (Press et al., *Shortformer*, 2021).
    Shortformer,
}

impl Default for Config {
    /// The post's model: one layer, two heads, attention only, for lists of ten values from 0 to 50. Say what differs:
    /// `Config { n_layers: 2, d_vocab: 113, ..Config::default() }`.
    fn default() -> Self {
        Self {
            n_layers: 1,
            n_heads: 2,
            d_model: 96,
            d_head: 48,
            mlp: None,
            n_ctx: 21,
            d_vocab: 52,
            d_vocab_out: 52,
            normalization_type: Normalization::LN,
            attention_dir: AttentionDir::Causal,
            positional_embedding_type: Positions::Standard,
            eps: Self::DEFAULT_EPS,
        }
    }
}

impl Config {
    /// The `eps` of a checkpoint that does not say: PyTorch's and TransformerLens's default.
    pub const DEFAULT_EPS: f64 = 1e-5;
    /// No dimension may be above this: what is larger is no toy, and sizes stay far from overflow.
    pub const LARGEST: usize = 1 << 16;
    /// The most blocks.
    pub const MOST_LAYERS: usize = 256;
    /// The most parameters a model may have (64 MiB of f32; training and the chunks of a batch keep some twenty copies).
    pub const MOST_PARAMETERS: usize = 1 << 24;
    /// The most numbers that a forward pass over one sequence may keep (16 MiB of f32; hundreds of sequences are under
    /// way at a time).
    pub const MOST_ACTIVATIONS: usize = 1 << 22;

    /// Whether the sizes make a model.
    ///
    /// # Errors
    /// Names the first size that is zero or above [`LARGEST`](Self::LARGEST), or says that there are too many blocks,
    /// parameters or activations.
    pub fn validate(&self) -> Result<()> {
        let d_mlp = self.mlp.map_or(1, |mlp| mlp.d_mlp);
        for (name, size, most) in [
            ("n_layers", self.n_layers, Self::MOST_LAYERS),
            ("n_heads", self.n_heads, Self::LARGEST),
            ("d_model", self.d_model, Self::LARGEST),
            ("d_head", self.d_head, Self::LARGEST),
            ("d_mlp", d_mlp, Self::LARGEST),
            ("n_ctx", self.n_ctx, Self::LARGEST),
            ("d_vocab", self.d_vocab, Self::LARGEST),
            ("d_vocab_out", self.d_vocab_out, Self::LARGEST),
        ] {
            if size == 0 || size > most {
                return Err(Error::invalid(name, format!("1 to {most}"), size));
            }
        }
        // As an engine in f32 sees it.
        let eps = self.eps as f32;
        if !(eps > 0.0 && eps.is_finite()) {
            return Err(Error::invalid("eps", "a positive number that f32 can hold", self.eps));
        }
        let parameters = self.parameters_at_most();
        if parameters > Self::MOST_PARAMETERS as u128 {
            return Err(Error::invalid("model", format!("at most {} parameters", Self::MOST_PARAMETERS), parameters));
        }
        let activations = self.activations(self.n_ctx);
        if activations > Self::MOST_ACTIVATIONS as u128 {
            let expected = format!("at most {} activations in a sequence of n_ctx tokens", Self::MOST_ACTIVATIONS);
            return Err(Error::invalid("model", expected, activations));
        }
        Ok(())
    }

    /// About how many numbers a forward and backward pass over one sequence of `seq` tokens keeps.
    pub fn activations(&self, seq: usize) -> u128 {
        let [l, h, d, e, o, seq] =
            [self.n_layers, self.n_heads, self.d_model, self.d_head, self.d_vocab_out, seq].map(|size| size as u128);
        let d_mlp = self.mlp.map_or(0, |mlp| mlp.d_mlp as u128);
        let block_numbers = seq * (12 * d + 4 * h * e + 2 * d_mlp) + 2 * h * seq * seq;
        l * block_numbers + seq * (8 * d + 4 * h * e + d_mlp + o) + h * seq * seq
    }

    /// An upper bound on the parameters.
    pub(crate) fn parameters_at_most(&self) -> u128 {
        let [l, h, d, e, c, v, o] =
            [self.n_layers, self.n_heads, self.d_model, self.d_head, self.n_ctx, self.d_vocab, self.d_vocab_out]
                .map(|size| size as u128);
        let d_mlp = self.mlp.map_or(0, |mlp| mlp.d_mlp as u128);
        l * (4 * h * d * e + 3 * h * e + 5 * d + 2 * d * d_mlp + d_mlp + d) + (v + c + 2) * d + (d + 1) * o
    }

    /// How many keys of a sequence the query at a position sees: in a causal model those up to itself.
    pub fn keys_seen(&self, query: usize, seq: usize) -> usize {
        match self.attention_dir {
            AttentionDir::Causal => query + 1,
            AttentionDir::Bidirectional => seq,
        }
    }

    /// Whether a block has no MLP.
    pub fn attn_only(&self) -> bool {
        self.mlp.is_none()
    }

    /// Whether the residual stream passes norms.
    pub fn has_norms(&self) -> bool {
        self.normalization_type != Normalization::None
    }

    /// What attention scores are multiplied by: 1/√d_head.
    pub fn attn_scale(&self) -> f64 {
        1.0 / (self.d_head as f64).sqrt()
    }
}
