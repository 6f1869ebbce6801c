//! The gradients of activations, allocated once.

use crate::{Scalar, engine::plain::pass::Sizes, model::Config};
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
}

impl<T: Scalar> Scratch<T> {
    pub fn new(config: &Config, sizes: Sizes) -> Self {
        let rows = sizes.rows();
        let wide = || Array2::zeros((rows, config.d_model));
        let heads = || Array2::zeros((rows, config.n_heads * config.d_head));
        Self {
            resid: wide(),
            pos_embed: wide(),
            norm: wide(),
            resid_final: Array2::zeros((sizes.batch * sizes.predicted, config.d_model)),
            qkv: [heads(), heads(), heads()],
            z: heads(),
            scores: Array4::zeros((sizes.batch, sizes.heads, sizes.seq, sizes.seq)),
            hidden: config.mlp.map(|mlp| Array2::zeros((rows, mlp.d_mlp))),
        }
    }
}
