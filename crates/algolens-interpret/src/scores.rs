//! Attention scores of the first block, split into token, position and bias terms.

use super::{Subject, circuits::check_pairs, nested, runner::Runner, support::check_scores};
use algolens_core::{
    Error, Result,
    engine::hooks::Filter,
    model::{Config, Model, NormLayout, Positions},
    task::{Dataset, Token},
};
use ndarray::{Array1, Array2, Array3, Array5, ArrayView1, ArrayView2, Axis, CowArray, Ix2, Ix3, s};
use serde::Serialize;

/// The terms of a query: its token, its position, and the biases (`b_Q`, and the norm's bias through `W_Q`).
pub const QUERY_TERMS: [&str; 3] = ["token", "position", "bias"];
/// The terms of a key: its token and its position. Its biases add the same to every score of a query, which the softmax ignores.
pub const KEY_TERMS: [&str; 2] = ["token", "position"];

/// The attention scores of the first block for one sequence, as a sum over query terms and key terms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoreTerms {
    /// `[head, query term, key term, query, key]`, with both layer-norm scales and 1/√d_head; over the query and key
    /// terms they sum to `hook_attn_scores` up to a constant for each query. Cells that causality forbids are filled too.
    #[serde(serialize_with = "nested")]
    pub terms: Array5<f64>,
}

impl ScoreTerms {
    /// The sum of all terms, `[head, query, key]`.
    pub fn total(&self) -> Array3<f64> {
        self.terms.sum_axis(Axis(1)).sum_axis(Axis(1))
    }
}

/// The score terms of one sequence in the *first* block, whose inputs are a token and a position; the split is exact.
///
/// # Errors
/// A sequence that does not fit the model.
pub fn score_terms(subject: Subject, tokens: &[Token]) -> Result<ScoreTerms> {
    let tokens = ArrayView2::from_shape((1, tokens.len()), tokens)
        .map_err(|_| Error::invalid("sequence", "tokens", tokens.len()))?;
    check_scores(subject.model.config())?;
    let (model, mut terms) = (subject.model.cast(), None);
    with_ln1_scales(subject, tokens, |tokens, scales| terms = Some(split(&model, tokens, scales)))?;
    Ok(terms.expect("the one sequence was run"))
}

/// The score terms of one sequence, from the norm scales `[pos]`.
fn split(model: &Model<f64>, tokens: ArrayView1<Token>, scales: ArrayView1<f32>) -> ScoreTerms {
    let config = model.config();
    let inputs = InputTerms::new(model, tokens, scales);
    let block = &model.params.layout().blocks[0];
    let [w_q, w_k, _] = block.W_QKV.map(|slot| model.params.get(slot));
    let b_q = query_biases(model);
    let seq = tokens.len();
    let mut terms = Array5::zeros((config.n_heads, QUERY_TERMS.len(), KEY_TERMS.len(), seq, seq));
    for (head, mut terms) in terms.outer_iter_mut().enumerate() {
        let w_k = w_k.index_axis(Axis(0), config.key_value_head(head));
        let w_q = w_q.index_axis(Axis(0), head);
        let bias = &inputs.bias.dot(&w_q) + &b_q.row(head);
        let bias = bias.broadcast((seq, config.d_head)).expect("a row for every position").to_owned();
        let queries = [inputs.token.dot(&w_q), inputs.position.dot(&w_q), bias];
        let keys = [inputs.token.dot(&w_k), inputs.position.dot(&w_k)];
        for (i, query) in queries.iter().enumerate() {
            for (j, key) in keys.iter().enumerate() {
                terms.slice_mut(s![i, j, .., ..]).assign(&(query.dot(&key.t()) * config.attn_scale(0)));
            }
        }
    }
    ScoreTerms { terms }
}

/// The term of the query's and the key's tokens in the scores of one query a sequence, `[batch, head, key]`: token · token of
/// [`score_terms`].
///
/// # Errors
/// Sequences that do not fit the model.
pub(super) fn token_scores(subject: Subject, tokens: ArrayView2<Token>, queries: &[usize]) -> Result<Array3<f64>> {
    check_scores(subject.model.config())?;
    let model = subject.model.cast::<f64>();
    let config = model.config();
    let [w_q, w_k, _] = model.params.layout().blocks[0].W_QKV.map(|slot| model.params.get(slot));
    let mut scores = Array3::zeros((tokens.nrows(), config.n_heads, tokens.ncols()));
    let mut lists = scores.outer_iter_mut().zip(queries);
    with_ln1_scales(subject, tokens, |tokens, scales| {
        let Some((mut scores, query)) = lists.next() else { return };
        let inputs = InputTerms::new(&model, tokens, scales).token;
        for (head, mut scores) in scores.outer_iter_mut().enumerate() {
            let query = inputs.row(*query).dot(&w_q.index_axis(Axis(0), head));
            let keys = inputs.dot(&w_k.index_axis(Axis(0), config.key_value_head(head)));
            scores.assign(&(keys.dot(&query) * config.attn_scale(0)));
        }
    })?;
    Ok(scores)
}

/// Calls `each(tokens [pos], scales [pos])` for every sequence, with the scales of the first norm; ones in a model without norms.
fn with_ln1_scales(
    subject: Subject,
    tokens: ArrayView2<Token>,
    mut each: impl FnMut(ArrayView1<Token>, ArrayView1<f32>),
) -> Result<()> {
    const NAME: &str = "blocks.0.ln1.hook_scale";
    let norm = subject.model.config().has_norms();
    let record = if norm { Filter::Names(&[NAME]) } else { Filter::Nothing };
    Runner::new(subject).run(tokens, &[], &[], record, |chunk| {
        for (at, example) in chunk.examples.enumerate() {
            let scales = if norm {
                chunk.cache.get::<Ix3>(NAME)?.slice(s![at, .., 0]).to_owned()
            } else {
                Array1::ones(tokens.ncols())
            };
            each(tokens.row(example), scales.view());
        }
        Ok(())
    })
}

/// The biases of the first block's queries, `[head, d_head]`.
fn query_biases(model: &Model<f64>) -> CowArray<'_, f64, Ix2> {
    let biases = model.params.layout().blocks[0].b_QKV;
    model.params.get_or_zeros(biases.map(|[b_q, ..]| b_q), [model.config().n_heads, model.config().d_head])
}

/// The input of the first block's queries and keys as a sum: token + position + bias.
struct InputTerms {
    /// `[pos, d_model]`.
    token: Array2<f64>,
    /// `[pos, d_model]`.
    position: Array2<f64>,
    /// The norm's bias, `[d_model]`.
    bias: Array1<f64>,
}

impl InputTerms {
    /// The terms for a sequence with the norm scales `[pos]`.
    fn new(model: &Model<f64>, tokens: ArrayView1<Token>, scales: ArrayView1<f32>) -> Self {
        let config = model.config();
        let layout = model.params.layout();
        let w_e = model.params.get(layout.W_E);
        let w_pos = model.params.get_or_zeros(layout.W_pos, [config.n_ctx, config.d_model]);
        let rows = tokens.map(|token| *token as usize).to_vec();
        let mut token = w_e.select(Axis(0), &rows);
        let mut position = w_pos.slice(s![..tokens.len(), ..]).to_owned();
        let ln1 = layout.blocks[0].ln1;
        let weight = ln1.map(|NormLayout { w, .. }| model.params.get(w));
        normalize(&mut token, config, weight, scales);
        if config.positional_embedding_type == Positions::Standard {
            normalize(&mut position, config, weight, scales);
        }
        let bias = ln1.and_then(|ln1| ln1.b);
        let bias = model.params.get_or_zeros(bias, [config.d_model]).into_owned();
        Self { token, position, bias }
    }

    /// The sum of all score terms of some queries, `[head, query, key]`.
    fn scores(&self, model: &Model<f64>, queries: &[usize]) -> Array3<f64> {
        let config = model.config();
        let block = &model.params.layout().blocks[0];
        let [w_q, w_k, _] = block.W_QKV.map(|slot| model.params.get(slot));
        let b_q = query_biases(model);
        let keys = &self.token + &self.position;
        let inputs = keys.select(Axis(0), queries) + &self.bias;
        let mut scores = Array3::zeros((config.n_heads, queries.len(), keys.nrows()));
        for (head, mut scores) in scores.outer_iter_mut().enumerate() {
            let queries = inputs.dot(&w_q.index_axis(Axis(0), head)) + b_q.row(head);
            let keys = keys.dot(&w_k.index_axis(Axis(0), config.key_value_head(head)));
            scores.assign(&(queries.dot(&keys.t()) * config.attn_scale(0)));
        }
        scores
    }
}

/// The norm with its scale fixed and without its bias: rows centred where it centres, divided by `scales [row]`, times `weight`.
fn normalize(rows: &mut Array2<f64>, config: &Config, weight: Option<ArrayView1<f64>>, scales: ArrayView1<f32>) {
    if !config.has_norms() {
        return;
    }
    for (mut row, scale) in rows.rows_mut().into_iter().zip(scales) {
        let mean = if config.normalization_type.centers() { row.sum() / row.len() as f64 } else { 0.0 };
        row.mapv_inplace(|x| (x - mean) / f64::from(*scale));
    }
    if let Some(weight) = weight {
        *rows *= &weight;
    }
}

/// The effective QK map of the first block: its scores by destination and source token, averaged over data.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectiveQk {
    /// `[head, destination, source]`: the mean score of the first block, without the terms that are constant for a
    /// query, over all predicted positions that hold the destination token and all earlier positions that hold the
    /// source token; NaN for pairs that do not occur.
    #[serde(serialize_with = "nested")]
    pub scores: Array3<f32>,
}

/// The effective QK map of the first block over a dataset, of some destination tokens over some source tokens. Unlike
/// `W_QK_full` it has layer-norm scales, √d_head, the query bias and the positional terms in it, so it ranks sources as the
/// model does.
///
/// # Errors
/// A dataset that does not fit the model, a token that it does not have, or [`Error::TooLarge`] for a map above 1 GB.
pub fn effective_qk(
    subject: Subject,
    data: &Dataset,
    destinations: &[Token],
    sources: &[Token],
) -> Result<EffectiveQk> {
    let config = subject.model.config();
    check_scores(config)?;
    check_pairs(config, destinations, sources)?;
    let [row_of, column_of] = [destinations, sources].map(|tokens| places(tokens, config.d_vocab));
    let mut sums = Array3::<f64>::zeros((config.n_heads, destinations.len(), sources.len()));
    let mut counts = Array2::<f64>::zeros((destinations.len(), sources.len()));
    let model = subject.model.cast();
    let mut examples = 0..data.len();
    with_ln1_scales(subject, data.tokens(), |tokens, scales| {
        let Some(example) = examples.next() else { return };
        let scores = InputTerms::new(&model, tokens, scales).scores(&model, data.positions());
        for (slot, &query) in data.positions().iter().enumerate() {
            let Some(row) = row_of[tokens[query] as usize] else { continue };
            let weight = f64::from(data.targets().weight(example, slot));
            for key in 0..query {
                let Some(column) = column_of[tokens[key] as usize] else { continue };
                counts[[row, column]] += weight;
                for head in 0..config.n_heads {
                    sums[[head, row, column]] += weight * scores[[head, slot, key]];
                }
            }
        }
    })?;
    Ok(EffectiveQk { scores: (sums / &counts).mapv(|mean| mean as f32) })
}

/// The place of each token of the vocabulary among some.
fn places(tokens: &[Token], d_vocab: usize) -> Vec<Option<usize>> {
    let mut places = vec![None; d_vocab];
    for (place, token) in tokens.iter().enumerate() {
        places[*token as usize] = Some(place);
    }
    places
}
