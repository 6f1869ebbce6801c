//! Sequences through the circuits, forward.

use super::{
    rows::{KeyRows, KeyTokens, QueryRows},
    tables::Tables,
};
use crate::{
    engine::{
        products::{Rows, Weights, weighted_sums},
        queries::{Queries, Query},
        softmax::{self, Prediction},
        vector::{Beside, LOOKUP, Numbers, change, dot, exp_row, look_up, numbers, padded},
    },
    task::Token,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::{ArrayView1, ArrayView2};
use std::ops::Range;

/// The memory of a pass over one sequence, and what its forward half leaves for the backward half.
pub struct SequenceState {
    /// The predicted positions.
    pub queries: Queries,
    /// `[key]`, padded.
    pub tokens: KeyTokens,
    /// r of each key, `[key]`; ones in the padding.
    pub scale: Numbers,
    /// Scores before the keys' r′, `[head, query, key]`, as far as keys are seen.
    pub scores: Numbers,
    /// The pattern times r′: how much of OV\[t′\] + OV\[p′\] a query gets, `[head, query, key]`; zero where a key is not
    /// seen.
    pub weights: Numbers,
    /// The final residual vector (centred where its norm does so, not scaled) and its logits before the norm's scale and the bias,
    /// `[query, row_width]`.
    pub rows: Numbers,
    /// A query's scores of each token, before what the position adds; at least as many as [`LOOKUP`].
    at_tokens: Numbers,
    /// Of each query: its largest score, then one over the sum of the powers, `[query]`.
    softmaxes: Vec<f32>,
    /// What [`unembed`](Self::unembed) computes.
    pub unembedded: Unembedded,
}

/// The logits of all queries.
pub struct Unembedded {
    /// `[query, padded(classes)]`.
    pub logits: Numbers,
    /// The final norm's scale, `[query]`: 1 without one.
    pub scale: Numbers,
    /// What [`predict`](SequenceState::predict) finds.
    pub predictions: Vec<Prediction>,
}

impl SequenceState {
    pub fn new(tables: &Tables, queries: &Queries) -> Self {
        let shape = tables.shape;
        let pairs = shape.heads * queries.all.len() * shape.keys();
        Self {
            queries: queries.clone(),
            tokens: KeyTokens::new(shape.keys()),
            scale: numbers(shape.keys(), 1.0),
            scores: numbers(pairs, 0.0),
            weights: numbers(pairs, 0.0),
            rows: numbers(queries.all.len() * shape.row_width(), 0.0),
            at_tokens: numbers(shape.key_tokens().max(LOOKUP), 0.0),
            softmaxes: vec![0.0; queries.all.len()],
            unembedded: Unembedded {
                logits: numbers(queries.all.len() * padded(shape.classes), 0.0),
                scale: numbers(queries.all.len(), 1.0),
                predictions: vec![Prediction::default(); queries.all.len()],
            },
        }
    }

    fn read(&mut self, tables: &Tables, tokens: ArrayView1<Token>) {
        let keys = tables.shape.positions;
        self.tokens.read(tokens.iter().copied().take(keys));
        let scales = tables.scale.chunks_exact(tables.shape.tokens);
        for ((scale, token), scales) in self.scale.iter_mut().beside(&self.tokens[..keys]).beside(scales) {
            *scale = scales[*token as usize];
        }
    }

    /// The weights of a head, `[query, key]`.
    pub fn weights_of(&self, head: usize) -> Rows<'_> {
        let keys = self.tokens.len();
        Rows { data: &self.weights, stride: keys }.from(head * self.queries.all.len())
    }

    /// The feature of the token that stands at a position.
    #[inline(always)]
    pub fn token_at(&self, position: usize) -> usize {
        self.tokens[position] as usize
    }

    /// The weights of a head: what the softmax makes of the scores, times r′. Step by step for all queries, as in
    /// [`unembed`](Self::unembed).
    #[simd]
    fn attend<S: Simd>(&mut self, simd: S, tables: &Tables, head: usize) {
        self.score(simd, tables, head);
        let keys = self.tokens.len();
        let queries = self.queries.all.len();
        let weights = &mut self.weights[head * queries * keys..(head + 1) * queries * keys];
        let rows = weights.chunks_exact_mut(keys).beside(&self.queries.all);
        for ((weights, query), softmax) in rows.beside(&mut self.softmaxes) {
            *softmax = exp_row(simd, &mut weights[..padded(query.seen)], *softmax).recip();
        }
        let rows = weights.chunks_exact_mut(keys).beside(&self.queries.all);
        for ((weights, query), norm) in rows.beside(&self.softmaxes) {
            let keys = padded(query.seen);
            let rows = ([&mut weights[..keys]], [&self.scale[..keys]]);
            change(
                simd,
                rows.0,
                rows.1,
                #[inline(always)]
                |_, [weight], [r]| [weight * (r * *norm)],
            );
        }
    }

    /// The scores of a head, r · (QK\[t\] + QK\[p\]) + QK\[bias\] looked up at every key's token and position; times r′ where a
    /// key is seen; and each query's largest.
    #[simd]
    fn score<S: Simd>(&mut self, simd: S, tables: &Tables, head: usize) {
        let shape = tables.shape;
        let (keys, queries) = (shape.keys(), &self.queries.all);
        let head_scores = head * queries.len() * keys..(head + 1) * queries.len() * keys;
        let rows = self.scores[head_scores.clone()]
            .chunks_exact_mut(keys)
            .beside(self.weights[head_scores].chunks_exact_mut(keys));
        let qk = tables.qk(head);
        let bias = qk.row(shape.features()).split_at(shape.key_tokens());
        for (((scores, weights), Query { position, seen }), most) in rows.beside(queries).beside(&mut self.softmaxes) {
            let token_row = qk.row(self.tokens[*position] as usize).split_at(shape.key_tokens());
            let position_row = qk.row(shape.tokens + position).split_at(shape.key_tokens());
            let r = S::f32s::splat(simd, self.scale[*position]);
            let (at_tokens, rows) = (&mut self.at_tokens[..shape.key_tokens()], [token_row.0, position_row.0, bias.0]);
            change(
                simd,
                [at_tokens],
                rows,
                #[inline(always)]
                |_, _, [token, position, bias]| [(token + position).mul_add(r, bias)],
            );
            let keys = padded(*seen);
            let (scores, weights) = (&mut scores[..keys], &mut weights[..keys]);
            look_up(simd, &self.at_tokens, shape.tokens, &self.tokens, scores);
            let rows = [&self.scale[..keys], &token_row.1[..keys], &position_row.1[..keys], &bias.1[..keys]];
            let mut max = S::f32s::splat(simd, f32::NEG_INFINITY);
            change(
                simd,
                [scores, weights],
                rows,
                #[inline(always)]
                |key, [score, _], [r_key, token, position, bias]| {
                    let inner = score + (token + position).mul_add(r, bias);
                    let scaled = softmax::seen_or_hidden(simd, inner * r_key, key, *seen);
                    max = max.max(scaled);
                    [inner, scaled]
                },
            );
            *most = max.reduce_max();
        }
    }

    /// The queries' rows: their direct paths, and what they get through all heads.
    #[simd]
    fn collect<S: Simd>(&mut self, simd: S, tables: &Tables, columns: Range<usize>) {
        let Self { queries, tokens, weights, rows, .. } = self;
        let (stride, width, vocabulary) = (tables.shape.keys(), tables.shape.row_width(), tables.shape.tokens);
        let weights = weights.chunks_exact(queries.all.len() * stride);
        let heads = weights.beside(&tables.heads).map(
            #[inline(always)]
            |(data, head)| {
                let ov = Rows { data: &head.ov, stride: width };
                (Weights::Straight(Rows { data, stride }), KeyRows::new(ov, vocabulary, tokens))
            },
        );
        let mut rows = QueryRows::new(tables, rows, tokens, &queries.all);
        for block in &queries.blocks {
            let (queries, keys) = (block.queries.clone(), 0..block.seen);
            weighted_sums(simd, &mut rows, queries, columns.clone(), heads.clone(), keys);
        }
    }

    /// The logits of every query. What one query waits for does not hold up the next: each step is taken for all of them.
    #[simd]
    fn unembed<S: Simd>(&mut self, simd: S, tables: &Tables) {
        let shape = tables.shape;
        let Unembedded { logits, scale, .. } = &mut self.unembedded;
        let rows = || self.rows.chunks_exact(shape.row_width()).map(|row| row.split_at(shape.resid_width()));
        if shape.has_final_norm() {
            for (scale, (resid, _)) in scale.iter_mut().beside(rows()) {
                *scale = (dot(simd, resid, resid) / shape.d_model as f32 + shape.eps).sqrt().recip();
            }
        }
        for ((logits, (_, u)), scale) in
            logits.chunks_exact_mut(padded(shape.classes)).beside(rows()).beside(scale.iter())
        {
            let s = S::f32s::splat(simd, *scale);
            change(
                simd,
                [logits],
                [u, &tables.bias],
                #[inline(always)]
                |_, _, [u, bias]| [u.mul_add(s, bias)],
            );
        }
    }

    /// Predicts the right classes, and leaves exponentials in the logits' place.
    #[inline(always)]
    pub fn predict<S: Simd>(&mut self, simd: S, classes: ArrayView1<Token>) {
        let Unembedded { logits, predictions, .. } = &mut self.unembedded;
        let width = logits.len() / predictions.len();
        for ((logits, prediction), class) in logits.chunks_exact(width).beside(&mut *predictions).beside(classes) {
            *prediction = Prediction::of(simd, logits, *class as usize);
        }
        for (logits, prediction) in logits.chunks_exact_mut(width).beside(predictions) {
            prediction.exponentials(simd, logits);
        }
    }
}

/// The rows of all queries of some sequences, and their logits, from their tokens.
///
/// Circuit by circuit, each used by all sequences while it is near.
#[simd]
pub fn forward<S: Simd>(simd: S, tables: &Tables, sequences: &mut [SequenceState], tokens: ArrayView2<Token>) {
    for (sequence, tokens) in sequences.iter_mut().beside(tokens.outer_iter()) {
        sequence.read(tables, tokens);
    }
    for head in 0..tables.shape.heads {
        for sequence in &mut *sequences {
            sequence.attend(simd, tables, head);
        }
    }
    for columns in tables.shape.column_runs() {
        for sequence in &mut *sequences {
            sequence.collect(simd, tables, columns.clone());
        }
    }
    for sequence in sequences {
        sequence.unembed(simd, tables);
    }
}
