//! The gradients of activations, allocated once.

use crate::{
    Scalar,
    engine::plain::pass::Sizes,
    model::{Config, K, Q, V},
};
use ndarray::{Array2, Array4};

/// Gradients of activations during a backward pass; rows are those of the [`Pass`](crate::engine::plain::pass::Pass).
pub(in super::super) struct Scratch<T> {
    /// Of the residual stream, `[row, d_model]`.
    pub resid: Array2<T>,
    /// Of the positional embedding of each row, `[row, d_model]`.
    pub pos_embed: Array2<T>,
    /// Of a norm's output, then of its input, `[row, d_model]`.
    pub norm: Array2<T>,
    /// Of the rows that are unembedded, `[batch · predicted, d_model]`.
    pub resid_final: Array2<T>,
    /// Of queries, keys, values, `[row, head · d_head]`.
    pub qkv: [Array2<T>; 3],
    /// `[row, head · d_head]`.
    pub z: Array2<T>,
    /// Of the pattern, then of the scores, `[batch, head, query, key]`.
    pub scores: Array4<T>,
    /// Of an MLP's hidden layer, `[row, d_mlp]`.
    pub hidden: Option<Array2<T>>,
    /// Of what a gate lets through, `[row, d_mlp]`; only of a gated MLP.
    pub linear: Option<Array2<T>>,
}

impl<T: Scalar> Scratch<T> {
    pub fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = sizes.rows();
        let wide = || Array2::zeros((rows, config.d_model));
        let heads = |heads: usize| Array2::zeros((rows, heads * config.d_head));
        let hidden = || config.mlp.map(|mlp| Array2::zeros((rows, mlp.d_mlp)));
        Self {
            resid: wide(),
            pos_embed: wide(),
            norm: wide(),
            resid_final: Array2::zeros((sizes.batch * sizes.predicted, config.d_model)),
            qkv: [Q, K, V].map(|kind| heads(sizes.heads_of(kind))),
            z: heads(sizes.heads),
            scores: Array4::zeros((sizes.batch, sizes.heads, sizes.seq, sizes.seq)),
            hidden: hidden(),
            linear: hidden().filter(|_| config.mlp.is_some_and(|mlp| mlp.gated)),
        }
    }
}
