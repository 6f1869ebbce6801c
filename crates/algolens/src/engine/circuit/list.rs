//! One list through the circuits, forward.

use super::tables::Tables;
use crate::{
    engine::{
        products::{Rows, RowsMut, Start, Weights, weighted_sums},
        queries::{Queries, Query},
        softmax,
        vector::{LOOKUP, Numbers, dot, get, lanes, lanes_mut, look_up, numbers, padded, set_scaled_sum},
    },
    task::Token,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::ArrayView1;

/// The memory of a pass over one list, and what its forward half leaves for the backward half.
pub struct List {
    /// The predicted positions.
    pub queries: Queries,
    heads: usize,
    /// `[key]`, padded.
    pub tokens: Vec<u32>,
    /// r of each key, `[key]`; ones in the padding.
    pub scale: Numbers,
    /// `[head, query, key]`.
    pub scores: Numbers,
    /// `[head, query, key]`; zero where a key is not seen.
    pub pattern: Numbers,
    /// What each key writes, `[head, key, row_width]`.
    pub writes: Numbers,
    /// The final residual vector (centred, not scaled) and its logits before the norm's scale and the bias,
    /// `[query, row_width]`.
    pub rows: Numbers,
    /// One row of a QK circuit.
    circuit_row: Numbers,
    /// What [`unembed`](Self::unembed) computes.
    pub unembedded: Unembedded,
}

/// The logits of all queries.
pub struct Unembedded {
    /// `[query, padded(classes)]`.
    pub logits: Numbers,
    /// The final norm's scale, `[query]`: 1 without norms.
    pub scale: Numbers,
}

impl List {
    pub fn new(tables: &Tables, queries: &Queries) -> Self {
        let shape = tables.shape;
        let pairs = shape.heads * queries.all.len() * shape.keys();
        Self {
            queries: queries.clone(),
            heads: shape.heads,
            tokens: vec![0; shape.keys()],
            scale: numbers(shape.keys(), 1.0),
            scores: numbers(pairs, 0.0),
            pattern: numbers(pairs, 0.0),
            writes: numbers(shape.heads * shape.positions * shape.row_width(), 0.0),
            rows: numbers(queries.all.len() * shape.row_width(), 0.0),
            circuit_row: numbers(shape.qk_width().max(LOOKUP), 0.0),
            unembedded: Unembedded {
                logits: numbers(queries.all.len() * padded(shape.classes), 0.0),
                scale: numbers(queries.all.len(), 1.0),
            },
        }
    }

    /// The rows of all queries, from the tokens of a list.
    #[inline(always)]
    pub fn forward<S: Simd>(&mut self, simd: S, tables: &Tables, tokens: ArrayView1<Token>) {
        self.read(tables, tokens);
        self.attend(simd, tables);
        self.collect(simd, tables);
    }

    fn read(&mut self, tables: &Tables, tokens: ArrayView1<Token>) {
        let keys =
            self.tokens.iter_mut().zip(self.scale.iter_mut()).zip(tables.scale.chunks_exact(tables.shape.tokens));
        for (((token, scale), of_position), read) in keys.zip(tokens) {
            *token = *read;
            *scale = of_position[*read as usize];
        }
    }

    /// The pattern of a head, `[query, key]`.
    pub fn pattern_of(&self, head: usize) -> &[f32] {
        let share = self.queries.all.len() * self.tokens.len();
        &self.pattern[head * share..(head + 1) * share]
    }

    /// What each key writes through a head, `[key, row_width]`.
    pub fn writes_of(&self, head: usize) -> &[f32] {
        let share = self.writes.len() / self.heads;
        &self.writes[head * share..(head + 1) * share]
    }

    /// The feature of the token that stands at a position.
    #[inline(always)]
    pub fn token_at(&self, position: usize) -> usize {
        self.tokens[position] as usize
    }

    /// Scores and patterns: r′ · (r · (QK\[t\] + QK\[p\]) + QK\[bias\]) looked up at every key's token and position.
    #[simd]
    fn attend<S: Simd>(&mut self, simd: S, tables: &Tables) {
        let shape = tables.shape;
        let (keys, queries) = (shape.keys(), self.queries.all.len());
        for head in 0..shape.heads {
            let qk = tables.qk(head);
            let bias = qk.row(shape.features());
            let of_head = head * queries * keys..(head + 1) * queries * keys;
            let scores = &mut self.scores[of_head.clone()];
            for (scores, Query { position, .. }) in scores.chunks_exact_mut(keys).zip(&self.queries.all) {
                let of_token = qk.row(self.tokens[*position] as usize);
                let of_position = qk.row(shape.tokens + position);
                circuit_row(simd, &mut self.circuit_row, [of_token, of_position, bias], self.scale[*position]);
                look_up(simd, &self.circuit_row, shape.tokens, &self.tokens, scores);
                let of_keys = lanes::<S>(&self.circuit_row[shape.key_tokens()..]).zip(lanes::<S>(&self.scale));
                for (score, (of_position, r)) in lanes_mut::<S>(scores).zip(of_keys) {
                    ((get(simd, score) + get(simd, of_position)) * get(simd, r)).store_slice(score);
                }
            }
            let patterns = self.pattern[of_head].chunks_exact_mut(keys);
            for ((pattern, scores), query) in patterns.zip(scores.chunks_exact(keys)).zip(&self.queries.all) {
                softmax::pattern(simd, scores, query.seen, pattern);
            }
        }
    }

    /// What each key writes where it is looked at: r′ · (OV\[t′\] + OV\[p′\]).
    #[simd]
    fn write<S: Simd>(&mut self, simd: S, tables: &Tables, head: usize) {
        let shape = tables.shape;
        let (ov, width) = (tables.ov(head), shape.row_width());
        let share = shape.positions * width;
        let writes = self.writes[head * share..(head + 1) * share].chunks_exact_mut(width);
        for (position, write) in writes.enumerate() {
            let of_token = ov.row(self.tokens[position] as usize);
            let of_position = ov.row(shape.tokens + position);
            set_scaled_sum(simd, write, of_token, of_position, self.scale[position]);
        }
    }

    /// The rows of the queries: their direct paths, and what they attend to.
    #[simd]
    fn collect<S: Simd>(&mut self, simd: S, tables: &Tables) {
        let shape = tables.shape;
        let (width, keys, queries) = (shape.row_width(), shape.keys(), self.queries.all.len());
        let direct = tables.direct();
        for (row, query) in self.rows.chunks_exact_mut(width).zip(&self.queries.all) {
            let of_token = direct.row(self.tokens[query.position] as usize);
            let of_position = direct.row(shape.tokens + query.position);
            set_scaled_sum(simd, row, of_token, of_position, 1.0);
        }
        for head in 0..shape.heads {
            self.write(simd, tables, head);
            let mut rows = RowsMut { data: &mut self.rows, stride: width };
            let pattern = Rows { data: &self.pattern, stride: keys };
            let writes = Rows { data: &self.writes, stride: width }.from(head * shape.positions);
            for block in &self.queries.blocks {
                let mut rows = rows.from(block.first);
                let weights = Weights::Straight(pattern.from(head * queries + block.first));
                weighted_sums(simd, &mut rows, Start::Held, block.queries, width, weights, writes, block.seen);
            }
        }
    }

    /// The logits of every query. What one query waits for does not hold up the next: each step is taken for all of them.
    #[simd]
    pub fn unembed<S: Simd>(&mut self, simd: S, tables: &Tables) {
        let shape = tables.shape;
        let Unembedded { logits, scale } = &mut self.unembedded;
        let rows = || self.rows.chunks_exact(shape.row_width()).map(|row| row.split_at(shape.resid_width()));
        if shape.norms {
            for (scale, (resid, _)) in scale.iter_mut().zip(rows()) {
                *scale = (dot(simd, resid, resid) / shape.d_model as f32 + shape.eps).sqrt().recip();
            }
        }
        for ((logits, (_, u)), scale) in logits.chunks_exact_mut(padded(shape.classes)).zip(rows()).zip(scale.iter()) {
            let s = S::f32s::splat(simd, *scale);
            let of_classes = lanes::<S>(u).zip(lanes::<S>(&tables.bias));
            for (logits, (u, bias)) in lanes_mut::<S>(logits).zip(of_classes) {
                get(simd, u).mul_add(s, get(simd, bias)).store_slice(logits);
            }
        }
    }
}

/// r · (token + position) + bias, of rows of a QK circuit.
#[inline(always)]
fn circuit_row<S: Simd>(simd: S, row: &mut [f32], [token, position, bias]: [&[f32]; 3], r: f32) {
    let r = S::f32s::splat(simd, r);
    let circuit = lanes::<S>(token).zip(lanes::<S>(position)).zip(lanes::<S>(bias));
    for (row, ((token, position), bias)) in lanes_mut::<S>(row).zip(circuit) {
        (get(simd, token) + get(simd, position)).mul_add(r, get(simd, bias)).store_slice(row);
    }
}
