//! Sequences through the circuits, backward: from the right answers to the gradients of the tables.

use super::{
    rows::{KeyRows, KeySums},
    sequence::{SequenceState, Unembedded},
    shape::Shape,
    tables::Tables,
};
use crate::{
    engine::{
        Score,
        loss::padded_loss_gradient,
        products::{Rows, RowsMut, Weights, dot_products, weighted_sums},
        queries::Query,
        vector::{Beside, Numbers, change, dot, numbers, padded, scale_row},
    },
    task::{RightView, TargetsView},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::Axis;
use std::{iter::once, ops::Range};

/// The memory of the backward half of a pass.
pub struct Backward {
    sequence_gradients: Vec<SequenceGradients>,
    /// For one sequence and head at a time: `inner` at the keys' tokens, `[query, padded(tokens)]`, in as many rows.
    at_tokens: Numbers,
}

/// Of one sequence.
struct SequenceGradients {
    /// Of the weights, then r′ times that of the scores, `[query, key]`, for one head at a time, as far as keys are seen; in a
    /// last row, what the latter sum up to over queries.
    inner: Numbers,
    /// Of each query, the mean of what its pattern gets, `[query]`.
    means: Vec<f32>,
    /// Of r of each position as a query, `[key]`, padded.
    scale: Numbers,
    /// Of r of each key, times r.
    scaled: Numbers,
}

impl Backward {
    pub fn new(tables: &Tables, sequences: &[SequenceState]) -> Self {
        let zeros_like = |sequence: &SequenceState| SequenceGradients {
            inner: numbers((sequence.queries.all.len() + 1) * tables.shape.keys(), 0.0),
            means: vec![0.0; sequence.queries.all.len()],
            scale: numbers(tables.shape.keys(), 0.0),
            scaled: numbers(tables.shape.keys(), 0.0),
        };
        let rows = sequences.first().map_or(0, |sequence| sequence.queries.all.len() + 1);
        let at_tokens = numbers(rows * tables.shape.key_tokens(), 0.0);
        Self { sequence_gradients: sequences.iter().map(zeros_like).collect(), at_tokens }
    }

    /// Adds to `gradients` those of `scale` times the weighted sum of the losses of sequences that went forward, and scores
    /// them.
    #[simd]
    pub fn run<S: Simd>(
        &mut self,
        simd: S,
        tables: &Tables,
        sequences: &mut [SequenceState],
        targets: TargetsView,
        scale: f32,
        gradients: &mut Tables,
    ) -> Score {
        let mut score = Score::default();
        for (sequence, targets) in sequences.iter_mut().beside(targets.examples()) {
            score.add(logits_backward(simd, tables, sequence, targets, scale));
            rows_backward(simd, tables, sequence, gradients);
        }
        let runs = || tables.shape.column_runs();
        for (columns, sequence) in
            runs().flat_map(|columns| sequences.iter().map(move |sequence| (columns.clone(), sequence)))
        {
            direct_backward(simd, sequence, columns, gradients);
        }
        let Self { sequence_gradients, at_tokens } = self;
        for d in &mut *sequence_gradients {
            d.scale.fill(0.0);
            d.scaled.fill(0.0);
        }
        for head in 0..tables.shape.heads {
            for (sequence, d) in sequences.iter().beside(&mut *sequence_gradients) {
                d.weights_backward(simd, tables, sequence, head);
                d.scores_backward(simd, sequence, head);
            }
            for (sequence, d) in sequences.iter().beside(&mut *sequence_gradients) {
                d.scatter(sequence, tables.shape, at_tokens);
                d.circuit_backward(simd, tables, sequence, head, at_tokens, gradients);
            }
            for (columns, sequence) in
                runs().flat_map(|columns| sequences.iter().map(move |sequence| (columns.clone(), sequence)))
            {
                writes_backward(simd, sequence, head, columns, gradients);
            }
        }
        for (sequence, d) in sequences.iter().beside(sequence_gradients) {
            d.scale_backward(sequence, gradients);
        }
        score
    }
}

impl SequenceGradients {
    /// d weight\[q, k\] = d row\[q\] · (OV\[t′\] + OV\[p′\]).
    #[simd]
    fn weights_backward<S: Simd>(&mut self, simd: S, tables: &Tables, sequence: &SequenceState, head: usize) {
        let shape = tables.shape;
        let width = shape.row_width();
        let rows = Rows { data: &sequence.rows, stride: width };
        let key_rows = KeyRows::new(tables.ov(head), shape.tokens, &sequence.tokens);
        let mut out = RowsMut { data: &mut self.inner, stride: shape.keys() };
        for block in &sequence.queries.blocks {
            dot_products(simd, &mut out, rows, block.queries.clone(), key_rows, block.seen, width);
        }
    }

    /// Through the softmax, to r′ times the gradient of every score; and from there and the weights into r′.
    ///
    /// With m = Σ weight · d weight over a query's keys, r′ · d score is weight · (r′ · d weight − m).
    #[simd]
    fn scores_backward<S: Simd>(&mut self, simd: S, sequence: &SequenceState, head: usize) {
        let keys = sequence.tokens.len();
        let (inner, sums) = self.inner.split_at_mut(sequence.queries.all.len() * keys);
        let head_scores = head * inner.len()..(head + 1) * inner.len();
        let (weights, scores) = (&sequence.weights[head_scores.clone()], &sequence.scores[head_scores]);
        let rows = weights.chunks_exact(keys).beside(inner.chunks_exact(keys)).beside(&sequence.queries.all);
        for (mean, ((weights, d), query)) in self.means.iter_mut().beside(rows) {
            let keys = padded(query.seen);
            *mean = dot(simd, &weights[..keys], &d[..keys]);
        }
        sums.fill(0.0);
        let rows = inner.chunks_exact_mut(keys).beside(weights.chunks_exact(keys)).beside(scores.chunks_exact(keys));
        for (((inner, weights), scores), (mean, Query { seen, .. })) in
            rows.beside(self.means.iter().beside(&sequence.queries.all))
        {
            let keys = padded(*seen);
            let changed = [&mut inner[..keys], &mut sums[..keys], &mut self.scaled[..keys]];
            let rows = [&weights[..keys], &scores[..keys], &sequence.scale[..keys]];
            change(
                simd,
                changed,
                rows,
                #[inline(always)]
                |_, [d_weight, sum, d_r], [weight, score, r]| {
                    let d_score = weight * (r * d_weight - *mean);
                    [d_score, sum + d_score, d_score.mul_add(score, weight.mul_add(d_weight, d_r))]
                },
            );
        }
    }

    /// What r of each key and query gets.
    fn scale_backward(&self, sequence: &SequenceState, gradients: &mut Tables) {
        let position_rows = gradients.scale.chunks_exact_mut(gradients.shape.tokens);
        let key_sums = self.scale.iter().beside(self.scaled.iter()).beside(sequence.scale.iter());
        for ((sum, token), ((d, d_scaled), r)) in position_rows.beside(sequence.tokens.iter()).beside(key_sums) {
            sum[*token as usize] += d + d_scaled / r;
        }
    }

    /// What the scores' gradients are at the keys' tokens.
    fn scatter(&self, sequence: &SequenceState, shape: Shape, at_tokens: &mut [f32]) {
        at_tokens.fill(0.0);
        let rows = at_tokens.chunks_exact_mut(shape.key_tokens()).beside(self.inner.chunks_exact(shape.keys()));
        let seen = sequence.queries.all.iter().map(|query| query.seen).chain([sequence.queries.keys]);
        for ((at_tokens, inner), seen) in rows.beside(seen) {
            for (token, d) in sequence.tokens[..seen].iter().beside(inner) {
                at_tokens[*token as usize] += *d;
            }
        }
    }

    /// From the scores to the QK circuit's rows of token, position and bias, and to r.
    #[simd]
    fn circuit_backward<S: Simd>(
        &mut self,
        simd: S,
        tables: &Tables,
        sequence: &SequenceState,
        head: usize,
        at_tokens: &[f32],
        gradients: &mut Tables,
    ) {
        let shape = tables.shape;
        let (qk, d_qk) = (tables.qk(head), &mut gradients.heads[head].qk);
        let (d_tokens, d_positions) = d_qk.split_at_mut(shape.tokens * shape.qk_width());
        let mut d_tokens = RowsMut { data: d_tokens, stride: shape.qk_width() };
        let mut d_positions = RowsMut { data: d_positions, stride: shape.qk_width() };
        let rows = at_tokens.chunks_exact(shape.key_tokens()).beside(self.inner.chunks_exact(shape.keys()));
        for ((at_tokens, at_positions), Query { position, seen }) in rows.clone().beside(&sequence.queries.all) {
            let token = sequence.token_at(*position);
            let r = S::f32s::splat(simd, sequence.scale[*position]);
            let mut d_r = S::f32s::splat(simd, 0.0);
            let (at_keys, tokens) = (padded(*seen), shape.key_tokens());
            for (d, columns) in [(at_tokens, 0..tokens), (&at_positions[..at_keys], tokens..tokens + at_keys)] {
                let d_token = &mut d_tokens.row(token)[columns.clone()];
                let d_position = &mut d_positions.row(*position)[columns.clone()];
                let rows = [d, &qk.row(token)[columns.clone()], &qk.row(shape.tokens + position)[columns]];
                change(
                    simd,
                    [d_token, d_position],
                    rows,
                    #[inline(always)]
                    |_, [d_token, d_position], [d, token, position]| {
                        d_r = d.mul_add(token + position, d_r);
                        [d_token + d * r, d_position + d * r]
                    },
                );
            }
            self.scale[*position] += d_r.reduce_sum();
        }
        let d_bias = d_positions.row(shape.positions);
        for (at_tokens, at_positions) in rows.skip(sequence.queries.all.len()) {
            let (to_tokens, to_positions) = d_bias[..shape.qk_width()].split_at_mut(shape.key_tokens());
            for (d_bias, d) in [(to_tokens, at_tokens), (to_positions, at_positions)] {
                change(
                    simd,
                    [d_bias],
                    [d],
                    #[inline(always)]
                    |_, [d_bias], [d]| [d_bias + d],
                );
            }
        }
    }
}

/// d OV\[t′\] and d OV\[p′\] get Σ weight\[q, k\] · d row\[q\].
#[simd]
fn writes_backward<S: Simd>(
    simd: S,
    sequence: &SequenceState,
    head: usize,
    columns: Range<usize>,
    gradients: &mut Tables,
) {
    let weights = Weights::Transposed(sequence.weights_of(head));
    let rows = Rows { data: &sequence.rows, stride: gradients.shape.row_width() };
    let mut out = KeySums::new(gradients, head, &sequence.tokens);
    for (keys, first) in &sequence.queries.key_runs {
        let terms = *first..sequence.queries.all.len();
        weighted_sums(simd, &mut out, keys.clone(), columns.clone(), once((weights, rows)), terms);
    }
}

/// Turns the queries' logits into the gradients of `scale` times the weighted sum of the losses of one example's targets, and
/// scores them.
#[simd]
fn logits_backward<S: Simd>(
    simd: S,
    tables: &Tables,
    sequence: &mut SequenceState,
    targets: TargetsView,
    scale: f32,
) -> Score {
    let classes = tables.shape.classes;
    let RightView::Classes(right) = targets.right else {
        let rows = sequence.unembedded.logits.chunks_exact_mut(padded(classes));
        return padded_loss_gradient(rows, classes, targets, scale);
    };
    let right = right.index_axis_move(Axis(0), 0);
    sequence.predict(simd, right);
    let Unembedded { logits, predictions, .. } = &mut sequence.unembedded;
    let mut score = Score::default();
    let query_logits = logits.chunks_exact_mut(padded(classes)).beside(right);
    for (at, (prediction, (powers, class))) in predictions.iter().beside(query_logits).enumerate() {
        let weight = targets.weight(0, at);
        prediction.gradient(simd, powers, *class as usize, scale * weight);
        score.add(prediction.outcome().weighted(weight).into());
    }
    score
}

/// Turns the queries' rows into their gradients, from those of the logits: through the bias and the final norm.
///
/// With logits s·u + b, s = 1/√(|x|²/d_model + eps): d u = s·g, d x = −s³/d_model · (g·u) · x.
#[simd]
fn rows_backward<S: Simd>(simd: S, tables: &Tables, sequence: &mut SequenceState, gradients: &mut Tables) {
    let shape = tables.shape;
    let Unembedded { logits, scale, .. } = &mut sequence.unembedded;
    let rows = sequence.rows.chunks_exact_mut(shape.row_width()).map(|row| row.split_at_mut(shape.resid_width()));
    for ((g, (resid, u)), scale) in logits.chunks_exact(padded(shape.classes)).beside(rows).beside(scale.iter()) {
        let mut g_u = S::f32s::splat(simd, 0.0);
        change(
            simd,
            [u],
            [g],
            #[inline(always)]
            |_, [u], [g]| {
                g_u = g.mul_add(u, g_u);
                [g * *scale]
            },
        );
        scale_row(simd, resid, -scale.powi(3) / shape.d_model as f32 * g_u.reduce_sum());
    }
    for g in logits.chunks_exact(padded(shape.classes)) {
        change(
            simd,
            [&mut gradients.bias],
            [g],
            #[inline(always)]
            |_, [bias], [g]| [bias + g],
        );
    }
}

/// d direct\[t\] and d direct\[p\] get d row\[q\].
#[simd]
fn direct_backward<S: Simd>(simd: S, sequence: &SequenceState, columns: Range<usize>, gradients: &mut Tables) {
    let (tokens, width) = (gradients.shape.tokens, gradients.shape.row_width());
    let (token_rows, position_rows) = gradients.direct.split_at_mut(tokens * width);
    for (d, query) in sequence.rows.chunks_exact(width).beside(&sequence.queries.all) {
        let token_row = &mut token_rows[sequence.token_at(query.position) * width..][columns.clone()];
        let position_row = &mut position_rows[query.position * width..][columns.clone()];
        let (changed, d) = ([token_row, position_row], [&d[columns.clone()]]);
        change(
            simd,
            changed,
            d,
            #[inline(always)]
            |_, [token, position], [d]| [token + d, position + d],
        );
    }
}
