//! The activations of a pass, allocated once: what the forward pass leaves and the backward pass reads.

use super::pass::Sizes;
use crate::{
    Scalar,
    model::{Config, Positions},
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
}

/// The activations of one block.
pub(super) struct BlockActs<T> {
    /// `[row, d_model]`.
    pub resid_pre: Array2<T>,
    pub attn: AttentionActs<T>,
    pub mlp: Option<MlpActs<T>>,
    /// `[row, d_model]`.
    pub resid_post: Array2<T>,
}

/// The activations of a block's attention.
pub(super) struct AttentionActs<T> {
    pub inputs: HeadInputs<T>,
    /// Queries, keys and values, `[row, head · d_head]`.
    pub qkv: [Array2<T>; 3],
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
    /// (x − mean) / scale, `[row, d_model]`: what `hook_normalized` shows, and may change.
    pub normalized: Array2<T>,
    /// The same before a hook changed it; none where no hook may.
    pub unedited: Option<Array2<T>>,
    /// √(variance + eps), `[row, 1]`.
    pub sigma: Array2<T>,
    /// What the rows were divided by, `[row, 1]`: `sigma`, unless a hook changed it.
    pub scale: Array2<T>,
    /// normalized · w + b, or `normalized` where the norm has no weights, `[row, d_model]`.
    pub out: Array2<T>,
}

/// The activations of a block's MLP.
pub(super) struct MlpActs<T> {
    /// `[row, d_model]`.
    pub resid_mid: Array2<T>,
    /// The MLP's copy of the residual stream, `[row, d_model]`.
    pub input: Array2<T>,
    pub ln2: Option<NormActs<T>>,
    /// `[row, d_mlp]`.
    pub pre: Array2<T>,
    /// `[row, d_mlp]`.
    pub post: Array2<T>,
    /// `[row, d_model]`.
    pub out: Array2<T>,
}

impl<T: Scalar> Activations<T> {
    pub fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = || Array2::zeros((sizes.rows(), config.d_model));
        let predicted = sizes.batch * sizes.predicted;
        Self {
            sizes,
            embed: rows(),
            pos_embed: rows(),
            blocks: (0..config.n_layers).map(|_| BlockActs::new(config, sizes)).collect(),
            resid_final: Array2::zeros((predicted, config.d_model)),
            ln_final: NormActs::new(config, predicted),
            logits: Array2::zeros((predicted, config.d_vocab_out)),
        }
    }
}

impl<T: Scalar> BlockActs<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = || Array2::zeros((sizes.rows(), config.d_model));
        Self {
            resid_pre: rows(),
            attn: AttentionActs::new(config, sizes),
            mlp: config.mlp.map(|mlp| MlpActs::new(config, mlp.d_mlp, sizes.rows())),
            resid_post: rows(),
        }
    }
}

impl<T: Scalar> AttentionActs<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let heads = || Array2::zeros((sizes.rows(), config.n_heads * config.d_head));
        let scores = || Array4::zeros((sizes.batch, sizes.heads, sizes.seq, sizes.seq));
        Self {
            inputs: HeadInputs::Shared(InputRows::new(config, sizes.rows(), true)),
            qkv: [heads(), heads(), heads()],
            scores: scores(),
            pattern: scores(),
            softmax: None,
            z: heads(),
            out: Array2::zeros((sizes.rows(), config.d_model)),
        }
    }
}

impl<T: Scalar> InputRows<T> {
    /// For as many rows; those for values alone never see positions.
    pub fn new(config: &Config, rows: usize, for_queries_or_keys: bool) -> Self {
        let shortformer = config.positional_embedding_type == Positions::Shortformer;
        let with_pos = (shortformer && for_queries_or_keys).then(|| Array2::zeros((rows, config.d_model)));
        Self { ln1: NormActs::new(config, rows), with_pos }
    }
}

impl<T: Scalar> NormActs<T> {
    /// For as many rows; none in a model without norms.
    fn new(config: &Config, rows: usize) -> Option<Self> {
        let wide = || Array2::zeros((rows, config.d_model));
        let narrow = || Array2::zeros((rows, 1));
        config.has_norms().then(|| Self {
            normalized: wide(),
            unedited: None,
            sigma: narrow(),
            scale: narrow(),
            out: wide(),
        })
    }
}

impl<T: Scalar> MlpActs<T> {
    fn new(config: &Config, d_mlp: usize, rows: usize) -> Self {
        let wide = || Array2::zeros((rows, config.d_model));
        let hidden = || Array2::zeros((rows, d_mlp));
        Self {
            resid_mid: wide(),
            input: wide(),
            ln2: NormActs::new(config, rows),
            pre: hidden(),
            post: hidden(),
            out: wide(),
        }
    }
}
