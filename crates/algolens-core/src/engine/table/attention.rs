//! Attention of one sequence and head, in registers.

use super::{
    bend::Bent,
    matrix::{Matrix, multiply},
};
use crate::engine::{
    products::{Rows, RowsMut, Weights, dot_products, weighted_sums},
    queries::{Queries, Query, blocks},
    softmax,
    vector::{dot, get, lanes, lanes_mut},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use std::{iter::once, ops::Range};

/// Where one sequence's and one head's rows stand, and how wide they are.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The sequence's queries.
    pub queries: &'a [Query],
    /// The sequence's first query row.
    pub query: usize,
    /// The sequence's first key row.
    pub key: usize,
    /// The head's first column.
    pub column: usize,
    /// The head's columns, padded.
    pub width: usize,
    /// From one query's pattern to the next, padded.
    pub keys: usize,
    /// Where its pattern `[query, key]` begins.
    pub pattern: usize,
}

impl Place<'_> {
    /// Its pattern among all of a chunk.
    pub fn patterns(&self) -> Range<usize> {
        self.pattern..self.pattern + self.queries.len() * self.keys
    }
}

/// z of one sequence and head, and its pattern `[query, key]`. Queries have the scale of the scores in them, which are bent by
/// `bent`.
#[simd]
pub fn attend<S: Simd>(
    simd: S,
    at: Place,
    [q, k, v]: [&Matrix; 3],
    pattern: &mut [f32],
    bent: Option<Bent>,
    z: &mut Matrix,
) {
    let [q, k, v] = [q.part(at.query, at.column), k.part(at.key, at.column), v.part(at.key, at.column)];
    let mut z = z.part_mut(at.query, at.column);
    let mut scores = RowsMut { data: pattern, stride: at.keys };
    for block in blocks(at.queries) {
        dot_products(simd, &mut scores, q, block.queries, k, block.seen, at.width);
    }
    match bent {
        None => {
            for (row, query) in pattern.chunks_exact_mut(at.keys).zip(at.queries) {
                softmax::pattern(simd, row, query.seen);
            }
        }
        Some(bent) => bent.patterns(simd, at.queries, pattern, at.keys),
    }
    let weights = Weights::Straight(Rows { data: pattern, stride: at.keys });
    for block in blocks(at.queries) {
        weighted_sums(simd, &mut z, block.queries, 0..at.width, once((weights, v)), 0..block.seen);
    }
}

/// The gradients of queries, keys and values from that of z; `d_scores [query, key]` is scratch. `slope` is that of
/// [`Bent`].
#[simd]
#[expect(clippy::too_many_arguments, reason = "what went forward, and the gradient of each")]
pub fn attend_backward<S: Simd>(
    simd: S,
    queries: &Queries,
    at: Place,
    [q, k, v]: [&Matrix; 3],
    pattern: &[f32],
    slope: Option<&[f32]>,
    d_z: &Matrix,
    [d_q, d_k, d_v]: [&mut Matrix; 3],
    d_scores: &mut [f32],
) {
    let [q, d_z] = [q, d_z].map(|rows| rows.part(at.query, at.column));
    let [k, v] = [k, v].map(|rows| rows.part(at.key, at.column));
    let mut d_pattern = RowsMut { data: d_scores, stride: at.keys };
    for block in &queries.blocks {
        dot_products(simd, &mut d_pattern, d_z, block.queries.clone(), v, block.seen, at.width);
    }
    let rows = d_scores.chunks_exact_mut(at.keys).zip(pattern.chunks_exact(at.keys));
    for (d, pattern) in rows.take(queries.all.len()) {
        softmax_backward(simd, pattern, d);
    }
    if let Some(slope) = slope {
        multiply(simd, d_scores, slope);
    }
    let d_scores = Rows { data: d_scores, stride: at.keys };
    let mut d_q = d_q.part_mut(at.query, at.column);
    for block in &queries.blocks {
        weighted_sums(
            simd,
            &mut d_q,
            block.queries.clone(),
            0..at.width,
            once((Weights::Straight(d_scores), k)),
            0..block.seen,
        );
    }
    let pattern = Rows { data: pattern, stride: at.keys };
    for (out, weights, rows) in [(d_k, d_scores, q), (d_v, pattern, d_z)] {
        let mut out = out.part_mut(at.key, at.column);
        for (keys, first) in &queries.key_runs {
            let terms = *first..queries.all.len();
            weighted_sums(simd, &mut out, keys.clone(), 0..at.width, once((Weights::Transposed(weights), rows)), terms);
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
