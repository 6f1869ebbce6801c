//! Attention of one list and head, in registers.

use super::matrix::Matrix;
use crate::engine::{
    products::{Rows, RowsMut, Start, Weights, dot_products, weighted_sums},
    queries::Queries,
    softmax,
    vector::{dot, get, lanes, lanes_mut},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// Where one list's and one head's rows stand, and how wide they are.
#[derive(Clone, Copy)]
pub struct Place {
    /// The list's first query row.
    pub query: usize,
    /// The list's first key row.
    pub key: usize,
    /// The head's first column.
    pub column: usize,
    /// The head's columns, padded.
    pub width: usize,
    /// From one query's pattern to the next, padded.
    pub keys: usize,
}

/// z of one list and head, and its pattern `[query, key]`. Queries have the scale of the scores in them.
#[simd]
pub fn attend<S: Simd>(
    simd: S,
    queries: &Queries,
    at: Place,
    [q, k, v]: [&Matrix; 3],
    pattern: &mut [f32],
    z: &mut Matrix,
) {
    let [q, k, v] = [q.part(at.query, at.column), k.part(at.key, at.column), v.part(at.key, at.column)];
    let mut z = z.part_mut(at.query, at.column);
    let mut scores = RowsMut { data: pattern, stride: at.keys };
    for block in &queries.blocks {
        dot_products(simd, &mut scores.from(block.first), q.from(block.first), block.queries, k, block.seen, at.width);
    }
    for (row, query) in pattern.chunks_exact_mut(at.keys).zip(&queries.all) {
        softmax::pattern_in_place(simd, row, query.seen);
    }
    let pattern = Rows { data: pattern, stride: at.keys };
    for block in &queries.blocks {
        let weights = Weights::Straight(pattern.from(block.first));
        let mut z = z.from(block.first);
        weighted_sums(simd, &mut z, Start::Zero, block.queries, at.width, weights, v, block.seen);
    }
}

/// The gradients of queries, keys and values from that of z; `d_scores [query, key]` is scratch.
#[simd]
#[expect(clippy::too_many_arguments, reason = "what went forward, and the gradient of each")]
pub fn attend_backward<S: Simd>(
    simd: S,
    queries: &Queries,
    at: Place,
    [q, k, v]: [&Matrix; 3],
    pattern: &[f32],
    d_z: &Matrix,
    [d_q, d_k, d_v]: [&mut Matrix; 3],
    d_scores: &mut [f32],
) {
    let [q, d_z] = [q, d_z].map(|rows| rows.part(at.query, at.column));
    let [k, v] = [k, v].map(|rows| rows.part(at.key, at.column));
    let mut d_pattern = RowsMut { data: d_scores, stride: at.keys };
    for block in &queries.blocks {
        let mut out = d_pattern.from(block.first);
        dot_products(simd, &mut out, d_z.from(block.first), block.queries, v, block.seen, at.width);
    }
    let rows = d_scores.chunks_exact_mut(at.keys).zip(pattern.chunks_exact(at.keys));
    for (d, pattern) in rows.take(queries.all.len()) {
        softmax_backward(simd, pattern, d);
    }
    let d_scores = Rows { data: d_scores, stride: at.keys };
    let mut d_q = d_q.part_mut(at.query, at.column);
    for block in &queries.blocks {
        let weights = Weights::Straight(d_scores.from(block.first));
        let mut d_q = d_q.from(block.first);
        weighted_sums(simd, &mut d_q, Start::Zero, block.queries, at.width, weights, k, block.seen);
    }
    let pattern = Rows { data: pattern, stride: at.keys };
    for (out, weights, rows) in [(d_k, d_scores, q), (d_v, pattern, d_z)] {
        let mut out = out.part_mut(at.key, at.column);
        for (keys, first) in queries.key_runs() {
            let mut out = out.from(keys.start);
            let (weights, terms) = (Weights::Transposed(weights.from(first), keys.start), queries.all.len() - first);
            weighted_sums(simd, &mut out, Start::Zero, keys.len(), at.width, weights, rows.from(first), terms);
        }
    }
}

/// d score = pattern · (d pattern − Σ pattern · d pattern), in place.
#[inline(always)]
fn softmax_backward<S: Simd>(simd: S, pattern: &[f32], d: &mut [f32]) {
    let mean = S::f32s::splat(simd, dot(simd, pattern, d));
    for (d, p) in lanes_mut::<S>(d).zip(lanes::<S>(pattern)) {
        (get(simd, p) * (get(simd, d) - mean)).store_slice(d);
    }
}
