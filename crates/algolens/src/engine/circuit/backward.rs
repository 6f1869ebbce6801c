//! One list through the circuits, backward: from the right answers to the gradients of the tables.

use super::{
    list::{List, Unembedded},
    shape::Shape,
    tables::Tables,
};
use crate::{
    engine::{
        Score,
        products::{Rows, RowsMut, Start, Weights, dot_products, weighted_sums},
        queries::Query,
        softmax::cross_entropy_gradient,
        vector::{Numbers, add_scaled, add_to, dot, get, lanes, lanes_mut, numbers, padded, scale_row},
    },
    task::Token,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::ArrayView1;

/// The memory of the backward half of a pass over one list.
pub struct Backward {
    /// Of the pattern, then of the scores times r′, `[query, key]`, for one head at a time.
    pattern: Numbers,
    /// Of what each key writes, `[key, row_width]`, for one head at a time.
    writes: Numbers,
    /// Of one row of a QK circuit.
    circuit_row: Numbers,
    /// Of the query bias's row of a QK circuit, for one head at a time.
    bias_row: Numbers,
    /// Of r of each position as a query, `[key]`, padded.
    scale: Numbers,
    /// Of r of each key, times r.
    scaled: Numbers,
}

impl Backward {
    pub fn new(tables: &Tables, list: &List) -> Self {
        let shape = tables.shape;
        // A block of dot products may reach behind the last key.
        Self {
            pattern: numbers(list.queries.all.len() * shape.keys(), 0.0),
            writes: numbers(shape.positions * shape.row_width(), 0.0),
            circuit_row: numbers(shape.qk_width(), 0.0),
            bias_row: numbers(shape.qk_width(), 0.0),
            scale: numbers(shape.keys(), 0.0),
            scaled: numbers(shape.keys(), 0.0),
        }
    }

    /// Adds to `gradients` those of `weight` times the cross-entropy of a list that went forward, and scores it.
    #[inline(always)]
    pub fn backward<S: Simd>(
        &mut self,
        simd: S,
        tables: &Tables,
        list: &mut List,
        targets: ArrayView1<Token>,
        weight: f32,
        gradients: &mut Tables,
    ) -> Score {
        list.unembed(simd, tables);
        let score = rows_backward(simd, tables, list, targets, weight, gradients);
        direct_backward(simd, tables, list, gradients);
        self.scale.fill(0.0);
        self.scaled.fill(0.0);
        // What the last head writes is still near.
        for head in (0..tables.shape.heads).rev() {
            self.pattern_backward(simd, tables, list, head);
            self.writes_backward(simd, tables, list, head, gradients);
            self.scores_backward(simd, tables, list, head, gradients);
        }
        let of_positions = gradients.scale.chunks_exact_mut(tables.shape.tokens);
        let of_keys = self.scale.iter().zip(self.scaled.iter()).zip(list.scale.iter());
        for ((sum, token), ((d, d_scaled), r)) in of_positions.zip(&list.tokens).zip(of_keys) {
            sum[*token as usize] += d + d_scaled / r;
        }
        score
    }

    /// d pattern\[q, k\] = d row\[q\] · write\[k\].
    #[simd]
    fn pattern_backward<S: Simd>(&mut self, simd: S, tables: &Tables, list: &List, head: usize) {
        let shape = tables.shape;
        let width = shape.row_width();
        let rows = Rows { data: &list.rows, stride: width };
        let writes = Rows { data: list.writes_of(head), stride: width };
        let mut out = RowsMut { data: &mut self.pattern, stride: shape.keys() };
        for block in &list.queries.blocks {
            let mut out = out.from(block.first);
            dot_products(simd, &mut out, rows.from(block.first), block.queries, writes, block.seen, width);
        }
    }

    /// d OV\[t′\] and d OV\[p′\] get r′ · Σ pattern\[q, k\] · d row\[q\].
    #[simd]
    fn writes_backward<S: Simd>(&mut self, simd: S, tables: &Tables, list: &List, head: usize, gradients: &mut Tables) {
        let shape = tables.shape;
        let (width, queries) = (shape.row_width(), list.queries.all.len());
        let pattern = Rows { data: list.pattern_of(head), stride: shape.keys() };
        let rows = Rows { data: &list.rows, stride: width };
        let mut out = RowsMut { data: &mut self.writes, stride: width };
        for (keys, first) in list.queries.key_runs() {
            let weights = Weights::Transposed(pattern.from(first), keys.start);
            let mut out = out.from(keys.start);
            let terms = queries - first;
            let rows = rows.from(first);
            weighted_sums(simd, &mut out, Start::Zero, keys.len(), width, weights, rows, terms);
        }
        let ov = &mut gradients.heads[head].ov;
        for (position, write) in self.writes.chunks_exact(width).enumerate() {
            let (of_tokens, of_positions) = ov.split_at_mut(shape.tokens * width);
            let of_token = &mut of_tokens[list.token_at(position) * width..];
            add_to_both(simd, [of_token, &mut of_positions[position * width..]], write, list.scale[position]);
        }
    }

    /// The gradient of a query's row of a QK circuit: that of each key's inner score, at its token and at its position.
    #[inline(always)]
    fn scatter<S: Simd>(&mut self, simd: S, shape: Shape, list: &List, query: usize, seen: usize) {
        let d_inner = &self.pattern[query * shape.keys()..(query + 1) * shape.keys()];
        let (of_tokens, of_positions) = self.circuit_row.split_at_mut(shape.key_tokens());
        for token in lanes_mut::<S>(of_tokens) {
            S::f32s::splat(simd, 0.0).store_slice(token);
        }
        for (position, d) in lanes_mut::<S>(of_positions).zip(lanes::<S>(d_inner)) {
            get(simd, d).store_slice(position);
        }
        for (token, d) in list.tokens[..seen].iter().zip(d_inner) {
            of_tokens[*token as usize] += *d;
        }
    }

    /// Through the softmax into the QK circuit's rows of token, position and bias, and into r.
    #[simd]
    fn scores_backward<S: Simd>(&mut self, simd: S, tables: &Tables, list: &List, head: usize, gradients: &mut Tables) {
        let shape = tables.shape;
        let (keys, width, queries) = (shape.keys(), shape.qk_width(), list.queries.all.len());
        let qk = tables.qk(head);
        let d_qk = &mut gradients.heads[head].qk;
        self.bias_row.fill(0.0);
        for (query, Query { position, seen }) in list.queries.all.iter().enumerate() {
            let pair = (head * queries + query) * keys;
            let (pattern, scores) = (&list.pattern[pair..pair + keys], &list.scores[pair..pair + keys]);
            let d_inner = &mut self.pattern[query * keys..(query + 1) * keys];
            softmax_backward(simd, pattern, scores, &list.scale, d_inner, &mut self.scaled);
            self.scatter(simd, shape, list, query, *seen);
            let (token, position) = (list.token_at(*position), *position);
            let rows = lanes::<S>(qk.row(token)).zip(lanes::<S>(qk.row(shape.tokens + position)));
            let (d_tokens, d_positions) = d_qk.split_at_mut(shape.tokens * width);
            let d_rows = lanes_mut::<S>(&mut d_tokens[token * width..]);
            let d_rows = d_rows.zip(lanes_mut::<S>(&mut d_positions[position * width..]));
            let r = S::f32s::splat(simd, list.scale[position]);
            let mut d_r = S::f32s::splat(simd, 0.0);
            let d_row = lanes::<S>(&self.circuit_row).zip(lanes_mut::<S>(&mut self.bias_row));
            for ((d, bias), ((of_token, of_position), (d_token, d_position))) in d_row.zip(rows.zip(d_rows)) {
                let d = get(simd, d);
                d_r = d.mul_add(get(simd, of_token) + get(simd, of_position), d_r);
                add_to(simd, bias, d);
                add_to(simd, d_token, d * r);
                add_to(simd, d_position, d * r);
            }
            self.scale[position] += d_r.reduce_sum();
        }
        add_scaled(simd, &mut d_qk[shape.features() * width..], &self.bias_row, 1.0);
    }
}

/// Turns the queries' rows into their gradients: through the cross-entropy, the bias and the final norm.
///
/// With logits s·u + b, s = 1/√(|x|²/d_model + eps): d u = s·g, d x = −s³/d_model · (g·u) · x.
#[simd]
fn rows_backward<S: Simd>(
    simd: S,
    tables: &Tables,
    list: &mut List,
    targets: ArrayView1<Token>,
    weight: f32,
    gradients: &mut Tables,
) -> Score {
    let shape = tables.shape;
    let Unembedded { logits, scale } = &mut list.unembedded;
    let mut score = Score::default();
    for (logits, target) in logits.chunks_exact_mut(padded(shape.classes)).zip(targets) {
        score.add(cross_entropy_gradient(simd, logits, *target as usize, weight).into());
    }
    let rows = list.rows.chunks_exact_mut(shape.row_width()).map(|row| row.split_at_mut(shape.resid_width()));
    for ((g, (resid, u)), scale) in logits.chunks_exact(padded(shape.classes)).zip(rows).zip(scale.iter()) {
        let mut g_u = S::f32s::splat(simd, 0.0);
        for ((u, g), bias) in lanes_mut::<S>(u).zip(lanes::<S>(g)).zip(lanes_mut::<S>(&mut gradients.bias)) {
            let g = get(simd, g);
            add_to(simd, bias, g);
            g_u = g.mul_add(get(simd, u), g_u);
            (g * *scale).store_slice(u);
        }
        scale_row(simd, resid, -scale.powi(3) / shape.d_model as f32 * g_u.reduce_sum());
    }
    score
}

/// d direct\[t\] and d direct\[p\] get d row\[q\].
#[simd]
fn direct_backward<S: Simd>(simd: S, tables: &Tables, list: &List, gradients: &mut Tables) {
    let shape = tables.shape;
    let width = shape.row_width();
    for (d, query) in list.rows.chunks_exact(width).zip(&list.queries.all) {
        let (of_tokens, of_positions) = gradients.direct.split_at_mut(shape.tokens * width);
        let of_token = &mut of_tokens[list.token_at(query.position) * width..];
        add_to_both(simd, [of_token, &mut of_positions[query.position * width..]], d, 1.0);
    }
}

/// Adds factor · d to the beginning of two rows.
#[inline(always)]
fn add_to_both<S: Simd>(simd: S, [a, b]: [&mut [f32]; 2], d: &[f32], factor: f32) {
    for (d, (a, b)) in lanes::<S>(d).zip(lanes_mut::<S>(a).zip(lanes_mut::<S>(b))) {
        let d = get(simd, d) * factor;
        add_to(simd, a, d);
        add_to(simd, b, d);
    }
}

/// Turns d pattern of a query into r′ · d score, in place, and adds to r′ times the gradient of every key's r′:
/// pattern · d pattern, as r′ stands in what the key writes, and score · d score, as it stands in the score.
#[inline(always)]
fn softmax_backward<S: Simd>(
    simd: S,
    pattern: &[f32],
    scores: &[f32],
    scale: &[f32],
    d: &mut [f32],
    d_scaled: &mut [f32],
) {
    let mean = dot(simd, pattern, d);
    let of_keys = lanes::<S>(pattern).zip(lanes::<S>(scores)).zip(lanes::<S>(scale));
    for ((d, d_scaled), ((p, score), r)) in lanes_mut::<S>(d).zip(lanes_mut::<S>(d_scaled)).zip(of_keys) {
        let (p, r) = (get(simd, p), get(simd, r));
        let p_d = p * get(simd, d);
        let d_score = p_d - p * mean;
        add_to(simd, d_scaled, d_score.mul_add(get(simd, score), p_d));
        (d_score * r).store_slice(d);
    }
}
