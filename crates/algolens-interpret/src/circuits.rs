//! The full OV and QK circuits of a block, and the direct path: products of weights alone.
#![allow(non_snake_case, reason = "matrices are called what the literature calls them")]

use super::{
    nested,
    shown::{Shown, check_each},
    support::check_heads,
};
use algolens_core::{
    Error, Result,
    model::{Config, Model, ParamLayout},
    task::Token,
};
use ndarray::{Array2, Array3, ArrayView2, ArrayView3, Axis, stack};
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

/// Most numbers of a map over the vocabulary: 1 GB.
const MOST_NUMBERS: usize = 1 << 28;

/// The full circuits of block `layer` over the shown tokens and classes, computed in f64.
///
/// # Errors
/// A block, token or class that the model does not have; [`Error::TooLarge`] for a map above 1 GB.
pub fn circuits(model: &Model, layer: usize, shown: &Shown) -> Result<Circuits> {
    let config = model.config();
    check_layer(config, layer)?;
    shown.check(config)?;
    check_size(config, shown.tokens.len(), shown.classes.len().max(shown.tokens.len()).max(config.n_ctx))?;
    let model = model.cast::<f64>();
    let layout: &ParamLayout = model.params.layout();
    let block = &layout.blocks[layer];
    let (W_E, W_U) = (rows(&model, &shown.tokens), columns(&model, &shown.classes));
    let W_pos = model.params.get_or_zeros(layout.W_pos, [config.n_ctx, config.d_model]);
    let (W_V, W_O) = (model.params.get(block.W_QKV[2]), model.params.get(block.W_O));
    let OV = |head| {
        let W_V = W_V.index_axis(Axis(0), config.key_value_head(head));
        W_E.dot(&W_V).dot(&W_O.index_axis(Axis(0), head).dot(&W_U))
    };
    Ok(Circuits {
        layer,
        W_OV_full: per_head(config, OV),
        W_QK_full: QK(&model, layer, W_E.view(), W_E.view()),
        W_QK_pos_query: QK(&model, layer, W_pos.view(), W_E.view()),
        W_QK_pos_key: QK(&model, layer, W_E.view(), W_pos.view()),
    })
}

/// The full QK circuit of block `layer` of some destination tokens over some source tokens, `W_E W_Q W_Kᵀ W_Eᵀ [head,
/// destination, source]`, computed in f64.
///
/// # Errors
/// A block or token that the model does not have; [`Error::TooLarge`] for a map above 1 GB.
pub fn full_qk(model: &Model, layer: usize, destinations: &[Token], sources: &[Token]) -> Result<Array3<f32>> {
    let config = model.config();
    check_layer(config, layer)?;
    check_pairs(config, destinations, sources)?;
    let model = model.cast::<f64>();
    Ok(QK(&model, layer, rows(&model, destinations).view(), rows(&model, sources).view()))
}

/// The direct path `W_E W_U [source, prediction]` of the shown tokens and classes: what a token adds to the logits at its own
/// position.
///
/// # Errors
/// A token or class that the model does not have; [`Error::TooLarge`] for a map above 1 GB.
pub fn direct_path(model: &Model, shown: &Shown) -> Result<Array2<f32>> {
    shown.check(model.config())?;
    check_size(model.config(), shown.tokens.len(), shown.classes.len())?;
    let model = model.cast::<f64>();
    Ok(rows(&model, &shown.tokens).dot(&columns(&model, &shown.classes)).mapv(|value| value as f32))
}

/// `W_E` of some tokens, `[token, d_model]`.
fn rows(model: &Model<f64>, tokens: &[Token]) -> Array2<f64> {
    let rows: Vec<usize> = tokens.iter().map(|token| *token as usize).collect();
    model.params.get(model.params.layout().W_E).select(Axis(0), &rows)
}

/// `W_U` of some classes, `[d_model, class]`.
fn columns(model: &Model<f64>, classes: &[Token]) -> Array2<f64> {
    let columns: Vec<usize> = classes.iter().map(|class| *class as usize).collect();
    model.params.unembedding().select(Axis(1), &columns)
}

/// The products `queries W_Q W_Kᵀ keysᵀ` of a block's heads, `[head, query, key]`.
fn QK(model: &Model<f64>, layer: usize, queries: ArrayView2<f64>, keys: ArrayView2<f64>) -> Array3<f32> {
    let config = model.config();
    let [W_Q, W_K]: [ArrayView3<f64>; 2] = {
        let [W_Q, W_K, _] = model.params.layout().blocks[layer].W_QKV;
        [W_Q, W_K].map(|slot| model.params.get(slot))
    };
    per_head(config, |head| {
        let keys = keys.dot(&W_K.index_axis(Axis(0), config.key_value_head(head)));
        queries.dot(&W_Q.index_axis(Axis(0), head)).dot(&keys.t())
    })
}

/// The matrix of each head, in f32, `[head, row, column]`.
fn per_head(config: &Config, matrix: impl Fn(usize) -> Array2<f64>) -> Array3<f32> {
    let heads: Vec<Array2<f32>> = (0..config.n_heads).map(|head| matrix(head).mapv(|value| value as f32)).collect();
    let views: Vec<ArrayView2<f32>> = heads.iter().map(|head| head.view()).collect();
    stack(Axis(0), &views).expect("every head has the same shape")
}

/// Checks that a model has some destination and source tokens, and that maps over their pairs are not too large.
pub(super) fn check_pairs(config: &Config, destinations: &[Token], sources: &[Token]) -> Result<()> {
    check_each("destination token", destinations, config.d_vocab)?;
    check_each("source token", sources, config.d_vocab)?;
    check_size(config, destinations.len(), sources.len())
}

/// Checks that a map of every head is not too large.
fn check_size(config: &Config, rows: usize, columns: usize) -> Result<()> {
    let numbers = [config.n_heads, rows, columns].into_iter().map(|size| size as u128).product();
    if numbers <= MOST_NUMBERS as u128 {
        return Ok(());
    }
    let most = format!("at most {MOST_NUMBERS} numbers of all heads");
    Err(Error::TooLarge { what: "map over the vocabulary", most, found: numbers })
}

/// Checks that the model has a block, with heads.
pub(super) fn check_layer(config: &Config, layer: usize) -> Result<()> {
    check_heads(config)?;
    if layer < config.n_layers {
        return Ok(());
    }
    Err(Error::invalid("layer", format!("below {}", config.n_layers), layer))
}
