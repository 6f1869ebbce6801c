//! The full OV and QK circuits of a block, and the direct path: products of weights alone.
#![allow(non_snake_case, reason = "matrices are called what the literature calls them")]

use super::{nested, support::check_heads};
use algolens_core::{
    Error, Result,
    model::{Config, Model, ParamLayout},
};
use ndarray::{Array2, Array3, ArrayView2, Axis, stack};
use serde::Serialize;

/// The full OV and QK circuits of one block's heads (Elhage et al., *A Mathematical Framework for Transformer Circuits*, 2021),
/// without layer-norm scales, √d_head and biases, as the post draws them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Circuits {
    /// Index of the block.
    pub layer: usize,
    /// `W_E W_V W_O W_U [head, source, prediction]`: what attending to a token adds to the logits.
    #[serde(serialize_with = "nested")]
    pub W_OV_full: Array3<f32>,
    /// `W_E W_Q W_Kᵀ W_Eᵀ [head, destination, source]`: the score of a source token for a destination token.
    #[serde(serialize_with = "nested")]
    pub W_QK_full: Array3<f32>,
    /// `W_pos W_Q W_Kᵀ W_Eᵀ [head, query position, source]`: the score of a source token for a query position.
    #[serde(serialize_with = "nested")]
    pub W_QK_pos_query: Array3<f32>,
    /// `W_E W_Q W_Kᵀ W_posᵀ [head, destination, key position]`: the score of a key position for a destination token.
    #[serde(serialize_with = "nested")]
    pub W_QK_pos_key: Array3<f32>,
}

/// The full circuits of block `layer`, computed in f64.
///
/// # Errors
/// A block that the model does not have.
pub fn circuits(model: &Model, layer: usize) -> Result<Circuits> {
    check_layer(model.config(), layer)?;
    let model = model.cast::<f64>();
    let layout: &ParamLayout = model.params.layout();
    let block = &layout.blocks[layer];
    let (W_E, W_U) = (model.params.get(layout.W_E), model.params.unembedding());
    let W_pos = model.params.get_or_zeros(layout.W_pos, [model.config().n_ctx, model.config().d_model]);
    let [W_Q, W_K, W_V] = block.W_QKV.map(|slot| model.params.get(slot));
    let W_O = model.params.get(block.W_O);
    let per_head = |circuit: &dyn Fn(usize) -> Array2<f64>| {
        let heads: Vec<Array2<f32>> =
            (0..model.config().n_heads).map(|head| circuit(head).mapv(|value| value as f32)).collect();
        let views: Vec<ArrayView2<f32>> = heads.iter().map(|head| head.view()).collect();
        stack(Axis(0), &views).expect("every head has the same shape")
    };
    let head_weights = |W: ndarray::ArrayView3<'_, f64>, head| W.index_axis(Axis(0), head).to_owned();
    let shared = |head| model.config().key_value_head(head);
    let QK = |queries: ArrayView2<f64>, keys: ArrayView2<f64>, head| {
        queries.dot(&head_weights(W_Q, head)).dot(&keys.dot(&head_weights(W_K, shared(head))).t())
    };
    Ok(Circuits {
        layer,
        W_OV_full: per_head(&|head| W_E.dot(&head_weights(W_V, shared(head))).dot(&head_weights(W_O, head).dot(&W_U))),
        W_QK_full: per_head(&|head| QK(W_E, W_E, head)),
        W_QK_pos_query: per_head(&|head| QK(W_pos.view(), W_E, head)),
        W_QK_pos_key: per_head(&|head| QK(W_E, W_pos.view(), head)),
    })
}

/// The direct path `W_E W_U [source, prediction]`: what a token adds to the logits at its own position.
pub fn direct_path(model: &Model) -> Array2<f32> {
    let model = model.cast::<f64>();
    let layout = model.params.layout();
    model.params.get(layout.W_E).dot(&model.params.unembedding()).mapv(|value| value as f32)
}

/// Checks that the model has a block, with heads.
pub(super) fn check_layer(config: &Config, layer: usize) -> Result<()> {
    check_heads(config)?;
    if layer < config.n_layers {
        return Ok(());
    }
    Err(Error::invalid("layer", format!("below {}", config.n_layers), layer))
}
