//! The memory of a pass over a chunk of lists, allocated once.

use super::{mlp::MlpActs, norm::NormActs, probe::Sizes};
use crate::{
    Scalar,
    model::{Config, Positions},
};
use ndarray::{Array2, Array4};

/// Activations of a forward pass and scratch of a backward one. A *row* is a (list, position) pair.
pub(super) struct Workspace<T> {
    pub sizes: Sizes,
    /// `[row, d_model]`.
    pub embed: Array2<T>,
    /// `[row, d_model]`.
    pub pos_embed: Array2<T>,
    pub blocks: Vec<BlockActs<T>>,
    /// The residual stream at the predicted positions, `[list · predicted, d_model]`.
    pub last: Array2<T>,
    pub ln_final: Option<NormActs<T>>,
    /// `[list · predicted, d_vocab_out]`.
    pub logits: Array2<T>,
    backward: Option<Scratch<T>>,
}

/// Activations of one block.
pub(super) struct BlockActs<T> {
    /// `[row, d_model]`.
    pub resid_pre: Array2<T>,
    /// The inputs of queries, keys and values, `[row · head, d_model]`, where a hook has split them.
    pub split: Option<[Array2<T>; 3]>,
    /// No norm, one, or (split) one each for queries, keys and values.
    pub ln1: Vec<NormActs<T>>,
    /// Shortformer: normalized inputs plus positions; one, or (split) one each for queries and keys.
    pub with_pos: Vec<Array2<T>>,
    /// Queries, keys and values, `[row, head · d_head]`.
    pub qkv: [Array2<T>; 3],
    /// `[list, head, query, key]`.
    pub scores: Array4<T>,
    /// `[list, head, query, key]`.
    pub pattern: Array4<T>,
    /// The pattern before a hook changed it.
    pub softmax: Option<Array4<T>>,
    /// `[row, head · d_head]`.
    pub z: Array2<T>,
    /// `[row, d_model]`.
    pub attn_out: Array2<T>,
    pub mlp: Option<MlpActs<T>>,
    /// `[row, d_model]`.
    pub resid_post: Array2<T>,
}

/// Gradients of activations during a backward pass.
pub(super) struct Scratch<T> {
    /// Of the residual stream, `[row, d_model]`.
    pub resid: Array2<T>,
    /// Of the positional embedding of each row, `[row, d_model]`.
    pub pos_embed: Array2<T>,
    /// Of a norm's output or input, `[row, d_model]`.
    pub normed: Array2<T>,
    /// Of the rows that are unembedded, `[list · predicted, d_model]`.
    pub last: Array2<T>,
    /// Of queries, keys, values, `[row, head · d_head]`.
    pub qkv: [Array2<T>; 3],
    /// `[row, head · d_head]`.
    pub z: Array2<T>,
    /// Of the pattern, then of the scores, `[list, head, query, key]`.
    pub scores: Array4<T>,
    /// Of an MLP's hidden layer, `[row, d_mlp]`.
    pub hidden: Option<Array2<T>>,
}

impl<T: Scalar> Workspace<T> {
    pub fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = sizes.rows();
        let predicted = sizes.lists * sizes.predicted;
        let wide = || Array2::zeros((rows, config.d_model));
        Self {
            sizes,
            embed: wide(),
            pos_embed: wide(),
            blocks: (0..config.n_layers).map(|_| BlockActs::new(config, sizes)).collect(),
            last: Array2::zeros((predicted, config.d_model)),
            ln_final: config.has_norms().then(|| NormActs::new(predicted, config.d_model)),
            logits: Array2::zeros((predicted, config.d_vocab_out)),
            backward: None,
        }
    }

    /// The scratch of a backward pass, taken out so that activations can be read beside it; give it back to
    /// [`keep`](Self::keep).
    pub fn scratch(&mut self, config: &Config) -> Scratch<T> {
        self.backward.take().unwrap_or_else(|| Scratch::new(config, self.sizes))
    }

    pub fn keep(&mut self, scratch: Scratch<T>) {
        self.backward = Some(scratch);
    }
}

impl<T: Scalar> BlockActs<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = sizes.rows();
        let wide = || Array2::zeros((rows, config.d_model));
        let heads = || Array2::zeros((rows, config.n_heads * config.d_head));
        let scores = || Array4::zeros((sizes.lists, sizes.heads, sizes.seq, sizes.seq));
        let shortformer = config.positional_embedding_type == Positions::Shortformer;
        Self {
            resid_pre: wide(),
            split: None,
            ln1: config.has_norms().then(|| NormActs::new(rows, config.d_model)).into_iter().collect(),
            with_pos: shortformer.then(wide).into_iter().collect(),
            qkv: [heads(), heads(), heads()],
            scores: scores(),
            pattern: scores(),
            softmax: None,
            z: heads(),
            attn_out: wide(),
            mlp: config.mlp.map(|mlp| MlpActs::new(config, mlp.d_mlp, rows)),
            resid_post: wide(),
        }
    }
}

impl<T: Scalar> Scratch<T> {
    fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = sizes.rows();
        let wide = || Array2::zeros((rows, config.d_model));
        let heads = || Array2::zeros((rows, config.n_heads * config.d_head));
        Self {
            resid: wide(),
            pos_embed: wide(),
            normed: wide(),
            last: Array2::zeros((sizes.lists * sizes.predicted, config.d_model)),
            qkv: [heads(), heads(), heads()],
            z: heads(),
            scores: Array4::zeros((sizes.lists, sizes.heads, sizes.seq, sizes.seq)),
            hidden: config.mlp.map(|mlp| Array2::zeros((rows, mlp.d_mlp))),
        }
    }
}
