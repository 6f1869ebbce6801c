//! Rows of queries and keys, as products read them from tables and add to them.

use super::tables::Tables;
use crate::engine::{
    products::{Rows, RowsMut, Sums, Terms},
    vector::{add_to, get, lanes, lanes_mut},
};
use fearless_simd::prelude::*;
use std::ops::Range;

/// OV\[t′\] + OV\[p′\] of every key (p′, t′).
#[derive(Clone, Copy)]
pub struct KeyRows<'a> {
    of_tokens: Rows<'a>,
    of_positions: Rows<'a>,
    tokens: &'a [u32],
}

impl<'a> KeyRows<'a> {
    /// Of the keys that have these tokens, through a head.
    pub fn new(tables: &'a Tables, head: usize, tokens: &'a [u32]) -> Self {
        let ov = tables.ov(head);
        Self { of_tokens: ov, of_positions: ov.from(tables.shape.tokens), tokens }
    }
}

impl<'a> Terms for KeyRows<'a> {
    type Row = [&'a [f32]; 2];

    #[inline(always)]
    fn columns(self, key: usize, columns: Range<usize>) -> Self::Row {
        let of_token = self.of_tokens.columns(self.tokens[key] as usize, columns.clone());
        [of_token, self.of_positions.columns(key, columns)]
    }

    #[inline(always)]
    fn vector<S: Simd>(simd: S, [of_token, of_position]: Self::Row, at: usize) -> S::f32s {
        Rows::vector(simd, of_token, at) + Rows::vector(simd, of_position, at)
    }
}

/// Where the gradient of what a key writes goes: to its token's row and to its position's.
pub struct KeySums<'a> {
    of_tokens: RowsMut<'a>,
    of_positions: RowsMut<'a>,
    tokens: &'a [u32],
}

impl<'a> KeySums<'a> {
    /// Of the keys that have these tokens, through a head.
    pub fn new(gradients: &'a mut Tables, head: usize, tokens: &'a [u32]) -> Self {
        let stride = gradients.shape.row_width();
        let (of_tokens, of_positions) = gradients.heads[head].ov.split_at_mut(gradients.shape.tokens * stride);
        let [of_tokens, of_positions] = [of_tokens, of_positions].map(|data| RowsMut { data, stride });
        Self { of_tokens, of_positions, tokens }
    }
}

impl Sums for KeySums<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, _: usize, _: usize) -> [S::f32s; N] {
        [S::f32s::splat(simd, 0.0); N]
    }

    #[inline(always)]
    fn put<S: Simd, const N: usize>(&mut self, simd: S, key: usize, column: usize, sums: &[S::f32s; N]) {
        let of_token = lanes_mut::<S>(&mut self.of_tokens.row(self.tokens[key] as usize)[column..]);
        let of_position = lanes_mut::<S>(&mut self.of_positions.row(key)[column..]);
        for ((of_token, of_position), sum) in of_token.zip(of_position).zip(sums) {
            add_to(simd, of_token, *sum);
            add_to(simd, of_position, *sum);
        }
    }
}

/// The queries' rows, to which what they attend to is added.
pub struct QueryRows<'a>(pub RowsMut<'a>);

impl Sums for QueryRows<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, query: usize, column: usize) -> [S::f32s; N] {
        let held = &self.0.data[query * self.0.stride + column..][..N * S::f32s::LEN];
        let mut sums = [S::f32s::splat(simd, 0.0); N];
        for (sum, held) in sums.iter_mut().zip(lanes::<S>(held)) {
            *sum = get(simd, held);
        }
        sums
    }

    #[inline(always)]
    fn put<S: Simd, const N: usize>(&mut self, simd: S, query: usize, column: usize, sums: &[S::f32s; N]) {
        self.0.put(simd, query, column, sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{
        circuit::shape::Shape,
        products::{Weights, weighted_sums},
        vector::tests::levels,
    };
    use fearless_simd::dispatch;

    /// Small whole numbers, of which sums are exact in any order.
    fn fill(numbers: &mut [f32], seed: usize) {
        numbers.iter_mut().enumerate().for_each(|(at, number)| *number = ((at * 7 + seed) % 13) as f32 - 6.0);
    }

    /// Keys that share a token, in one tile and in two.
    #[test]
    fn rows_of_keys_are_sums_of_two_rows_and_give_to_both() {
        let tokens = [3, 1, 3, 0, 3, 4, 1];
        let (head, queries) = (1, 3);
        let shape = Shape {
            heads: 2,
            d_model: 8,
            d_head: 4,
            tokens: 5,
            classes: 5,
            positions: tokens.len(),
            norms: true,
            eps: 1e-5,
        };
        let width = shape.row_width();
        let mut tables = Tables::new(shape);
        fill(&mut tables.heads[head].ov, 1);
        let mut weights = vec![0.0; queries * tokens.len()];
        fill(&mut weights, 5);
        let mut held = vec![0.0; queries * width];
        fill(&mut held, 3);
        let ov = |feature: usize, column: usize| tables.heads[head].ov[feature * width + column];
        for level in levels() {
            let weights = Rows { data: &weights, stride: tokens.len() };
            let mut rows = held.clone();
            let mut out = QueryRows(RowsMut { data: &mut rows, stride: width });
            let of_keys = KeyRows::new(&tables, head, &tokens);
            dispatch!(level.level(), simd => weighted_sums(
                simd, &mut out, 0..queries, 0..width, Weights::Straight(weights), of_keys, 0..tokens.len()
            ));
            let mut d = Tables::new(shape);
            let mut out = KeySums::new(&mut d, head, &tokens);
            let of_queries = Rows { data: &held, stride: width };
            dispatch!(level.level(), simd => weighted_sums(
                simd, &mut out, 0..tokens.len(), 0..width, Weights::Transposed(weights), of_queries, 0..queries
            ));
            let (mut d_ov, mut expected) = (vec![0.0; shape.features() * width], held.clone());
            for at in 0..queries * tokens.len() * width {
                let (pair, column) = (at / width, at % width);
                let (query, key) = (pair / tokens.len(), pair % tokens.len());
                let weight = weights.row(query)[key];
                let (token, position) = (tokens[key] as usize, shape.tokens + key);
                expected[query * width + column] += weight * (ov(token, column) + ov(position, column));
                for feature in [token, position] {
                    d_ov[feature * width + column] += weight * held[query * width + column];
                }
            }
            assert_eq!(rows, expected, "{level:?}");
            assert_eq!(d.heads[head].ov[..], d_ov[..], "{level:?}");
        }
    }
}
