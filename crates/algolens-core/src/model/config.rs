//! The shape of a model, in TransformerLens's words.

use super::biases::Biases;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// A small transformer of the family that TransformerLens's `HookedTransformerConfig` spans for toy models.
///
/// What has a default is left out of JSON where it has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Blocks; a model of none unembeds its embedding.
    pub n_layers: usize,
    /// Attention heads a block; a block of none has an MLP only.
    pub n_heads: usize,
    /// Heads that have keys and values of their own, each shared by as many heads that follow each other (grouped-query
    /// attention); none: every head has its own.
    #[serde(default, skip_serializing_if = "is_default")]
    pub n_key_value_heads: Option<usize>,
    /// Width of the residual stream.
    pub d_model: usize,
    /// Width of a head.
    pub d_head: usize,
    /// The MLP of each block; none in an attention-only model.
    pub mlp: Option<Mlp>,
    /// Whether the MLP reads the residual stream before the block's attention has written to it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub parallel_attn_mlp: bool,
    /// The longest sequence.
    pub n_ctx: usize,
    /// Tokens.
    pub d_vocab: usize,
    /// Output classes.
    pub d_vocab_out: usize,
    /// The norm before attention and before the MLP.
    pub normalization_type: Normalization,
    /// The norm before the unembedding, where it is another one (TransformerLens's `final_rms` is one such case).
    #[serde(default, skip_serializing_if = "is_default")]
    pub final_normalization_type: Option<Normalization>,
    /// Who may attend to whom.
    pub attention_dir: AttentionDir,
    /// A window for each layer: a query sees so many keys at most, the last of them itself; none: all that
    /// `attention_dir` allows. Empty: no layer has one.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attn_windows: Vec<Option<usize>>,
    /// What attention scores are divided by; none: √d_head.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attn_scale: Option<f64>,
    /// Whether the scores of layer l are divided by l + 1 besides.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scale_attn_by_inverse_layer_idx: bool,
    /// The soft cap c of attention scores, c · tanh(score / c), before anything is masked.
    #[serde(default, skip_serializing_if = "is_default")]
    pub attn_scores_soft_cap: Option<f64>,
    /// The soft cap of logits.
    #[serde(default, skip_serializing_if = "is_default")]
    pub output_logits_soft_cap: Option<f64>,
    /// The score of a key that a query must not see (TransformerLens's buffer `IGNORE`, -1e5 in its older files); none: −∞.
    #[serde(default, skip_serializing_if = "is_default")]
    pub masked_score: Option<f64>,
    /// The token that nobody attends to. A query that sees nothing else has a pattern of zeros.
    #[serde(default, skip_serializing_if = "is_default")]
    pub pad_token: Option<u32>,
    /// Where positions enter.
    pub positional_embedding_type: Positions,
    /// Added to the variance (or the mean square) inside every norm.
    pub eps: f64,
    /// Which biases there are.
    #[serde(default, skip_serializing_if = "is_default")]
    pub biases: Biases,
    /// Whether the unembedding is the embedding, transposed.
    #[serde(default, skip_serializing_if = "is_default")]
    pub tie_word_embeddings: bool,
}

fn is_default<V: Default + PartialEq>(value: &V) -> bool {
    *value == V::default()
}

/// An MLP: `act_fn(x W_in + b_in) W_out + b_out`; a gated one: `(act_fn(x W_gate) ⊙ x W_in + b_in) W_out + b_out`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mlp {
    /// Hidden width.
    pub d_mlp: usize,
    /// Activation function.
    pub act_fn: ActFn,
    /// Whether it is gated.
    #[serde(default, skip_serializing_if = "is_default")]
    pub gated: bool,
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
    /// The same with √(2/π) rounded to ten digits.
    GeluFast,
    /// x / (1 + e⁻ˣ).
    Silu,
    /// x · softmax(x), over the hidden layer (Elhage et al., *Softmax Linear Units*, 2022).
    Solu,
    /// [`Solu`](Self::Solu), then a layer norm over the hidden layer: `LN` in models of `LN`, else `LNPre`.
    SoluLn,
}

/// A norm over the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Normalization {
    /// Layer norm with weight and bias.
    LN,
    /// Layer norm without them (what folding leaves).
    LNPre,
    /// Division by the root mean square, with a weight (Zhang and Sennrich, 2019).
    RMS,
    /// The same without it.
    RMSPre,
    /// No norm.
    #[serde(rename = "none")]
    None,
}

impl Normalization {
    /// Every norm.
    pub const ALL: [Self; 5] = [Self::LN, Self::LNPre, Self::RMS, Self::RMSPre, Self::None];

    /// Whether it takes out the mean.
    pub fn centers(self) -> bool {
        matches!(self, Self::LN | Self::LNPre)
    }

    /// Whether it has a weight.
    pub fn has_weight(self) -> bool {
        matches!(self, Self::LN | Self::RMS)
    }

    /// What folding its weight and bias into what reads it leaves.
    pub fn folded(self) -> Self {
        match self {
            Self::LN | Self::LNPre => Self::LNPre,
            Self::RMS | Self::RMSPre => Self::RMSPre,
            Self::None => Self::None,
        }
    }
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

/// Where positions enter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Embeddings, added to the residual stream at the start.
    Standard,
    /// Embeddings, added to what queries and keys are computed from, in every block, after the norm; never in the residual
    /// stream (Press et al., *Shortformer*, 2021).
    Shortformer,
    /// Queries and keys are rotated by angles in proportion to their positions (Su et al., *RoFormer*, 2021).
    Rotary(Rotary),
    /// Nowhere: only causality tells positions apart.
    None,
}

/// How queries and keys are rotated: pair i of the first `rotary_dim` dimensions by pos · base^(−2i / rotary_dim).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rotary {
    /// Dimensions of a head that are rotated; even.
    pub rotary_dim: usize,
    /// The base of the angles.
    pub rotary_base: f64,
    /// Whether dimensions 2i and 2i + 1 are a pair (as in GPT-J), or i and i + rotary_dim / 2 (as in GPT-NeoX).
    pub rotary_adjacent_pairs: bool,
}

impl Positions {
    /// Whether there are embeddings of positions.
    pub fn has_embeddings(self) -> bool {
        matches!(self, Self::Standard | Self::Shortformer)
    }

    /// How queries and keys are rotated, if they are.
    pub fn rotary(self) -> Option<Rotary> {
        match self {
            Self::Rotary(rotary) => Some(rotary),
            _ => None,
        }
    }
}

impl Default for Config {
    /// The post's model: one layer, two heads, attention only, for lists of ten values from 0 to 50. Say what differs:
    /// `Config { n_layers: 2, d_vocab: 113, ..Config::default() }`.
    fn default() -> Self {
        Self {
            n_layers: 1,
            n_heads: 2,
            n_key_value_heads: None,
            d_model: 96,
            d_head: 48,
            mlp: None,
            parallel_attn_mlp: false,
            n_ctx: 21,
            d_vocab: 52,
            d_vocab_out: 52,
            normalization_type: Normalization::LN,
            final_normalization_type: None,
            attention_dir: AttentionDir::Causal,
            attn_windows: Vec::new(),
            attn_scale: None,
            scale_attn_by_inverse_layer_idx: false,
            attn_scores_soft_cap: None,
            output_logits_soft_cap: None,
            masked_score: None,
            pad_token: None,
            positional_embedding_type: Positions::Standard,
            eps: Self::DEFAULT_EPS,
            biases: Biases::default(),
            tie_word_embeddings: false,
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

    /// About how many numbers a forward and backward pass over one sequence of `seq` tokens keeps.
    pub fn activations(&self, seq: usize) -> u128 {
        let [l, h, d, e, o, seq] =
            [self.n_layers, self.n_heads, self.d_model, self.d_head, self.d_vocab_out, seq].map(|size| size as u128);
        let d_mlp = self.mlp.map_or(0, |mlp| mlp.d_mlp as u128);
        let block_numbers = seq * (12 * d + 6 * h * e + 4 * d_mlp) + 3 * h * seq * seq;
        l * block_numbers + seq * (8 * d + 4 * h * e + 2 * d_mlp + 2 * o) + h * seq * seq
    }

    /// An upper bound on the parameters.
    pub(crate) fn parameters_at_most(&self) -> u128 {
        let [l, h, d, e, c, v, o] =
            [self.n_layers, self.n_heads, self.d_model, self.d_head, self.n_ctx, self.d_vocab, self.d_vocab_out]
                .map(|size| size as u128);
        let [d_mlp, matrices] = self.mlp.map_or([0, 0], |mlp| [mlp.d_mlp as u128, 2 + u128::from(mlp.gated)]);
        l * (4 * h * d * e + 3 * h * e + 5 * d + matrices * d * d_mlp + 3 * d_mlp + d) + (v + c + 2) * d + (d + 1) * o
    }

    /// Heads that have keys and values of their own.
    pub fn key_value_heads(&self) -> usize {
        self.n_key_value_heads.unwrap_or(self.n_heads)
    }

    /// The head among [`key_value_heads`](Self::key_value_heads) whose keys and values a head reads.
    pub fn key_value_head(&self, head: usize) -> usize {
        head * self.key_value_heads() / self.n_heads.max(1)
    }

    /// How many keys of a sequence the query at a position sees: in a causal model those up to itself.
    pub fn keys_seen(&self, query: usize, seq: usize) -> usize {
        match self.attention_dir {
            AttentionDir::Causal => query + 1,
            AttentionDir::Bidirectional => seq,
        }
    }

    /// The keys of a sequence that the query at a position sees in a layer, as far as positions decide.
    pub fn visible_keys(&self, layer: usize, query: usize, seq: usize) -> Range<usize> {
        let seen = self.keys_seen(query, seq);
        let window = self.attn_windows.get(layer).copied().flatten();
        window.map_or(0, |window| seen.saturating_sub(window))..seen
    }

    /// The score of a key that a query must not see.
    pub fn masked_score(&self) -> f64 {
        self.masked_score.unwrap_or(f64::NEG_INFINITY)
    }

    /// The options, in TransformerLens's words, that are none of the post's family: `LN`, `LNPre` or no norms, standard or
    /// shortformer positions, every bias, scores over √d_head, and nothing masked but what causality forbids.
    pub fn beyond_post(&self) -> impl Iterator<Item = &'static str> {
        let rms = |norm| matches!(norm, Normalization::RMS | Normalization::RMSPre);
        let options = [
            ("n_heads", self.n_heads == 0),
            ("n_layers", self.n_layers == 0),
            ("n_key_value_heads", self.n_key_value_heads.is_some()),
            ("parallel_attn_mlp", self.parallel_attn_mlp),
            ("gated_mlp", self.mlp.is_some_and(|mlp| mlp.gated)),
            ("act_fn", self.mlp.is_some_and(|mlp| matches!(mlp.act_fn, ActFn::Solu | ActFn::SoluLn))),
            ("normalization_type", rms(self.normalization_type)),
            ("final_normalization_type", self.final_normalization() != self.normalization_type),
            ("attn_windows", self.attn_windows.iter().any(Option::is_some)),
            ("attn_scale", self.attn_scale.is_some()),
            ("scale_attn_by_inverse_layer_idx", self.scale_attn_by_inverse_layer_idx),
            ("attn_scores_soft_cap", self.attn_scores_soft_cap.is_some()),
            ("output_logits_soft_cap", self.output_logits_soft_cap.is_some()),
            // Below this, what is masked has no share in a pattern, as with −∞.
            ("masked_score", self.masked_score.is_some_and(|score| score > -1e4)),
            ("pad_token", self.pad_token.is_some()),
            ("positional_embedding_type", !self.positional_embedding_type.has_embeddings()),
            ("biases", self.biases != Biases::ALL),
            ("tie_word_embeddings", self.tie_word_embeddings),
        ];
        options.into_iter().filter(|(_, beyond)| *beyond).map(|(name, _)| name)
    }

    /// Whether a block has no MLP.
    pub fn attn_only(&self) -> bool {
        self.mlp.is_none()
    }

    /// Whether a block's MLP reads what its attention has left.
    pub fn has_resid_mid(&self) -> bool {
        self.mlp.is_some() && !self.parallel_attn_mlp
    }

    /// Whether blocks normalize what they read.
    pub fn has_norms(&self) -> bool {
        self.normalization_type != Normalization::None
    }

    /// The norm before the unembedding.
    pub fn final_normalization(&self) -> Normalization {
        self.final_normalization_type.unwrap_or(self.normalization_type)
    }

    /// The norm inside an MLP, after its activation function.
    pub fn mlp_normalization(&self) -> Normalization {
        match (self.mlp, self.normalization_type) {
            (Some(Mlp { act_fn: ActFn::SoluLn, .. }), Normalization::LN) => Normalization::LN,
            (Some(Mlp { act_fn: ActFn::SoluLn, .. }), _) => Normalization::LNPre,
            _ => Normalization::None,
        }
    }

    /// What the attention scores of a layer are multiplied by: 1/√d_head where the config does not say otherwise.
    pub fn attn_scale(&self, layer: usize) -> f64 {
        let scale = 1.0 / self.attn_scale.unwrap_or_else(|| (self.d_head as f64).sqrt());
        if self.scale_attn_by_inverse_layer_idx { scale / (layer + 1) as f64 } else { scale }
    }
}
