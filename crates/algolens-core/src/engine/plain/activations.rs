//! The activations of a pass, allocated once: what the forward pass leaves and the backward pass reads.

use super::pass::Sizes;
use crate::{
    Scalar,
    model::{Config, Mlp, Normalization, Positions},
};
use ndarray::{Array2, Array4};

/// Everything that a forward pass computes. Rows are those of [`Pass`](super::pass::Pass).
pub(super) struct Activations<T> {
    pub sizes: Sizes,
    /// `[row, d_model]`.
    pub embed: Array2<T>,
    /// `[row, d_model]`.
    pub pos_embed: Array2<T>,
    pub blocks: Vec<BlockActs<T>>,
    /// The residual stream at the predicted positions, `[batch · predicted, d_model]`.
    pub resid_final: Array2<T>,
    pub ln_final: Option<NormActs<T>>,
    /// `[batch · predicted, d_vocab_out]`; a backward pass starts from their gradient in the same place.
    pub logits: Array2<T>,
    /// The logits once more; only where they are capped.
    pub capped_logits: Option<Array2<T>>,
}

/// The activations of one block.
pub(super) struct BlockActs<T> {
    /// `[row, d_model]`.
    pub resid_pre: Array2<T>,
    pub attn: AttentionActs<T>,
    /// `[row, d_model]`; only where an MLP reads it.
    pub resid_mid: Array2<T>,
    pub mlp: Option<MlpActs<T>>,
    /// `[row, d_model]`.
    pub resid_post: Array2<T>,
}

/// The activations of a block's attention.
pub(super) struct AttentionActs<T> {
    pub inputs: HeadInputs<T>,
    /// Queries, keys and values, `[row, head · d_head]`.
    pub qkv: [Array2<T>; 3],
    /// Queries and keys, rotated; only with rotary positions.
    pub rotated: Option<[Array2<T>; 2]>,
    /// The scores before anything was masked, `[batch, head, query, key]`; only where they are capped.
    pub capped: Option<Array4<T>>,
    /// `[batch, head, query, key]`.
    pub scores: Array4<T>,
    /// `[batch, head, query, key]`.
    pub pattern: Array4<T>,
    /// The pattern before a hook changed it; none where no hook may.
    pub softmax: Option<Array4<T>>,
    /// `[row, head · d_head]`.
    pub z: Array2<T>,
    /// `[row, d_model]`.
    pub out: Array2<T>,
}

/// What queries, keys and values are computed from.
#[expect(clippy::large_enum_variant, reason = "one a block, and shared inputs are the rule")]
pub(super) enum HeadInputs<T> {
    /// All heads read the same rows, `[row, d_model]`: those of `resid_pre`, normalized.
    Shared(InputRows<T>),
    /// A hook has split them: each head reads rows of its own, those for queries, keys and values apart.
    Split(Box<[SplitInput<T>; 3]>),
}

/// The inputs that a hook has given to the heads' queries, keys or values.
pub(super) struct SplitInput<T> {
    /// `[row · head, d_model]`.
    pub resid: Array2<T>,
    pub normalized: InputRows<T>,
}

/// Rows of the residual stream on their way to queries, keys or values.
pub(super) struct InputRows<T> {
    /// None in models without norms.
    pub ln1: Option<NormActs<T>>,
    /// The normalized rows plus the positions' embeddings, of the same shape; only in shortformer models, for queries and
    /// keys.
    pub with_pos: Option<Array2<T>>,
}

/// What one norm leaves for the backward pass. Its rows are those it is given: `row`, `row · head` for split inputs, or
/// `batch · predicted` for `ln_final`.
pub(super) struct NormActs<T> {
    /// (x − mean) / scale, or x / scale, `[row, width]`: what `hook_normalized` shows, and may change.
    pub normalized: Array2<T>,
    /// The same before a hook changed it; none where no hook may.
    pub unedited: Option<Array2<T>>,
    /// √(variance + eps), or of the mean square, `[row, 1]`.
    pub sigma: Array2<T>,
    /// What the rows were divided by, `[row, 1]`: `sigma`, unless a hook changed it.
    pub scale: Array2<T>,
    /// normalized · w + b, as far as the norm has them, `[row, width]`.
    pub out: Array2<T>,
}

/// The activations of a block's MLP.
pub(super) struct MlpActs<T> {
    /// The MLP's copy of the residual stream, `[row, d_model]`.
    pub input: Array2<T>,
    pub ln2: Option<NormActs<T>>,
    /// `[row, d_mlp]`.
    pub pre: Array2<T>,
    /// What a gate lets through, x W_in, `[row, d_mlp]`; only of a gated MLP.
    pub pre_linear: Option<Array2<T>>,
    /// act_fn(`pre`), `[row, d_mlp]`; only where that is not yet `post`.
    pub mid: Option<Array2<T>>,
    /// The norm of `mid`; only of `solu_ln`.
    pub ln: Option<NormActs<T>>,
    /// `[row, d_mlp]`.
    pub post: Array2<T>,
    /// `[row, d_model]`.
    pub out: Array2<T>,
}

impl<T: Scalar> Activations<T> {
    pub fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = || Array2::zeros((sizes.rows(), config.d_model));
        let predicted = sizes.batch * sizes.predicted;
        let logits = || Array2::zeros((predicted, config.d_vocab_out));
        Self {
            sizes,
            embed: rows(),
            pos_embed: rows(),
            blocks: (0..config.n_layers).map(|_| BlockActs::new(config, sizes)).collect(),
            resid_final: Array2::zeros((predicted, config.d_model)),
            ln_final: NormActs::new(config.final_normalization(), predicted, config.d_model),
            logits: logits(),
            capped_logits: config.output_logits_soft_cap.map(|_| logits()),
        }
    }
}

impl<T: Scalar> BlockActs<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = || Array2::zeros((sizes.rows(), config.d_model));
        Self {
            resid_pre: rows(),
            attn: AttentionActs::new(config, sizes),
            resid_mid: Array2::zeros((if config.has_resid_mid() { sizes.rows() } else { 0 }, config.d_model)),
            mlp: config.mlp.map(|mlp| MlpActs::new(config, mlp, sizes.rows())),
            resid_post: rows(),
        }
    }
}

impl<T: Scalar> AttentionActs<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let heads = |heads: usize| Array2::zeros((sizes.rows(), heads * config.d_head));
        let [q, kv] = [sizes.heads, sizes.key_value_heads];
        let scores = || Array4::zeros((sizes.batch, sizes.heads, sizes.seq, sizes.seq));
        Self {
            inputs: HeadInputs::Shared(InputRows::new(config, sizes.rows(), true)),
            qkv: [heads(q), heads(kv), heads(kv)],
            rotated: config.positional_embedding_type.rotary().map(|_| [heads(q), heads(kv)]),
            capped: config.attn_scores_soft_cap.map(|_| scores()),
            scores: scores(),
            pattern: scores(),
            softmax: None,
            z: heads(q),
            out: Array2::zeros((sizes.rows(), config.d_model)),
        }
    }
}

impl<T: Scalar> InputRows<T> {
    /// For as many rows; those for values alone never see positions.
    pub fn new(config: &Config, rows: usize, for_queries_or_keys: bool) -> Self {
        let shortformer = config.positional_embedding_type == Positions::Shortformer;
        let with_pos = (shortformer && for_queries_or_keys).then(|| Array2::zeros((rows, config.d_model)));
        Self { ln1: NormActs::new(config.normalization_type, rows, config.d_model), with_pos }
    }
}

impl<T: Scalar> NormActs<T> {
    /// For as many rows of this width; none where there is no norm.
    fn new(normalization: Normalization, rows: usize, width: usize) -> Option<Self> {
        let wide = || Array2::zeros((rows, width));
        let narrow = || Array2::zeros((rows, 1));
        (normalization != Normalization::None).then(|| Self {
            normalized: wide(),
            unedited: None,
            sigma: narrow(),
            scale: narrow(),
            out: wide(),
        })
    }
}

impl<T: Scalar> MlpActs<T> {
    fn new(config: &Config, mlp: Mlp, rows: usize) -> Self {
        let wide = || Array2::zeros((rows, config.d_model));
        let hidden = || Array2::zeros((rows, mlp.d_mlp));
        let ln = NormActs::new(config.mlp_normalization(), rows, mlp.d_mlp);
        Self {
            input: wide(),
            ln2: NormActs::new(config.normalization_type, rows, config.d_model),
            pre: hidden(),
            pre_linear: mlp.gated.then(hidden),
            mid: (mlp.gated || ln.is_some()).then(hidden),
            ln,
            post: hidden(),
            out: wide(),
        }
    }
}
