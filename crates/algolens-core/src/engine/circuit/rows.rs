//! Rows of queries and keys, as products read them from tables and add to them.

use super::tables::Tables;
use crate::engine::{
    products::{Accumulator, RowSource, Rows, RowsMut},
    queries::Query,
    vector::{Beside, add_to, lanes_mut},
};
use fearless_simd::prelude::*;
use std::ops::Range;

/// OV\[t′\] + OV\[p′\] of every key (p′, t′).
#[derive(Clone, Copy)]
pub struct KeyRows<'a> {
    token_rows: Rows<'a>,
    position_rows: Rows<'a>,
    tokens: &'a [u32],
}

impl<'a> KeyRows<'a> {
    /// Of the keys that have these tokens, through a head.
    pub fn new(tables: &'a Tables, head: usize, tokens: &'a [u32]) -> Self {
        let ov = tables.ov(head);
        Self { token_rows: ov, position_rows: ov.from(tables.shape.tokens), tokens }
    }
}

impl<'a> RowSource for KeyRows<'a> {
    type Row = [&'a [f32]; 2];

    #[inline(always)]
    fn columns(self, key: usize, columns: Range<usize>) -> Self::Row {
        let token_row = self.token_rows.columns(self.tokens[key] as usize, columns.clone());
        [token_row, self.position_rows.columns(key, columns)]
    }

    #[inline(always)]
    fn vector<S: Simd>(simd: S, [token_row, position_row]: Self::Row, at: usize) -> S::f32s {
        Rows::vector(simd, token_row, at) + Rows::vector(simd, position_row, at)
    }
}

/// Where the gradient of what a key writes goes: to its token's row and to its position's.
pub struct KeySums<'a> {
    token_rows: RowsMut<'a>,
    position_rows: RowsMut<'a>,
    tokens: &'a [u32],
}

impl<'a> KeySums<'a> {
    /// Of the keys that have these tokens, through a head.
    pub fn new(gradients: &'a mut Tables, head: usize, tokens: &'a [u32]) -> Self {
        let stride = gradients.shape.row_width();
        let (token_rows, position_rows) = gradients.heads[head].ov.split_at_mut(gradients.shape.tokens * stride);
        let [token_rows, position_rows] = [token_rows, position_rows].map(|data| RowsMut { data, stride });
        Self { token_rows, position_rows, tokens }
    }
}

impl Accumulator for KeySums<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, _: usize, _: usize) -> [S::f32s; N] {
        [S::f32s::splat(simd, 0.0); N]
    }

    #[inline(always)]
    fn put<S: Simd, const N: usize>(&mut self, simd: S, key: usize, column: usize, sums: &[S::f32s; N]) {
        let token_row = lanes_mut::<S>(&mut self.token_rows.row(self.tokens[key] as usize)[column..]);
        let position_row = lanes_mut::<S>(&mut self.position_rows.row(key)[column..]);
        for ((token_row, position_row), sum) in token_row.beside(position_row).beside(sums) {
            add_to(simd, token_row, *sum);
            add_to(simd, position_row, *sum);
        }
    }
}

/// The queries' rows: what they attend to, from their direct paths on.
pub struct QueryRows<'a> {
    rows: RowsMut<'a>,
    token_rows: Rows<'a>,
    position_rows: Rows<'a>,
    tokens: &'a [u32],
    queries: &'a [Query],
}

impl<'a> QueryRows<'a> {
    /// Of these queries among keys that have these tokens.
    pub fn new(tables: &'a Tables, rows: &'a mut [f32], tokens: &'a [u32], queries: &'a [Query]) -> Self {
        let direct = tables.direct();
        let rows = RowsMut { data: rows, stride: tables.shape.row_width() };
        Self { rows, token_rows: direct, position_rows: direct.from(tables.shape.tokens), tokens, queries }
    }
}

impl Accumulator for QueryRows<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, query: usize, column: usize) -> [S::f32s; N] {
        let (position, columns) = (self.queries[query].position, column..column + N * S::f32s::LEN);
        let token_row = self.token_rows.columns(self.tokens[position] as usize, columns.clone());
        let row = [token_row, self.position_rows.columns(position, columns)];
        let mut sums = [S::f32s::splat(simd, 0.0); N];
        for (at, sum) in sums.iter_mut().enumerate() {
            *sum = KeyRows::vector(simd, row, at * S::f32s::LEN);
        }
        sums
    }

    #[inline(always)]
    fn put<S: Simd, const N: usize>(&mut self, simd: S, query: usize, column: usize, sums: &[S::f32s; N]) {
        self.rows.put(simd, query, column, sums);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch;
    use crate::engine::{
        circuit::shape::Shape,
        products::{Weights, weighted_sums},
        vector::tests::levels,
    };
    use crate::model::Normalization;
    use std::iter::once;

    /// Small whole numbers, of which sums are exact in any order.
    fn fill(numbers: &mut [f32], seed: usize) {
        numbers.iter_mut().enumerate().for_each(|(at, number)| *number = ((at * 7 + seed) % 13) as f32 - 6.0);
    }

    /// Keys that share a token, in one tile and in two; two heads.
    #[test]
    fn rows_of_keys_are_sums_of_two_rows_and_give_to_both() {
        let tokens = [3, 1, 3, 0, 3, 4, 1];
        let queries = [1, 4, 6].map(|position| Query { position, seen: tokens.len() });
        let shape = Shape {
            heads: 2,
            d_model: 8,
            d_head: 4,
            tokens: 5,
            classes: 5,
            positions: tokens.len(),
            norm: Normalization::LN,
            final_norm: Normalization::LN,
            eps: 1e-5,
        };
        let (width, pairs) = (shape.row_width(), queries.len() * tokens.len());
        let mut tables = Tables::new(shape);
        fill(&mut tables.direct, 2);
        tables.heads.iter_mut().enumerate().for_each(|(head, tables)| fill(&mut tables.ov, head));
        let [mut weights, mut d_rows] = [vec![0.0; shape.heads * pairs], vec![0.0; queries.len() * width]];
        fill(&mut weights, 5);
        fill(&mut d_rows, 3);
        let weights_of = |head: usize| Rows { data: &weights[head * pairs..], stride: tokens.len() };
        let both_rows = |table: &[f32], position: usize, column: usize| {
            [tokens[position] as usize, shape.tokens + position].map(|feature| table[feature * width + column])
        };
        let mut expected = vec![0.0; queries.len() * width];
        let mut d_ov = vec![0.0; shape.features() * width];
        for (at, expected) in expected.iter_mut().enumerate() {
            let (query, column) = (at / width, at % width);
            *expected = both_rows(&tables.direct, queries[query].position, column).iter().sum();
            for (key, token) in tokens.iter().enumerate() {
                for head in 0..shape.heads {
                    let written: f32 = both_rows(&tables.heads[head].ov, key, column).iter().sum();
                    *expected += weights_of(head).row(query)[key] * written;
                }
                for feature in [*token as usize, shape.tokens + key] {
                    d_ov[feature * width + column] += weights_of(1).row(query)[key] * d_rows[at];
                }
            }
        }
        for level in levels() {
            let mut rows = vec![0.0; queries.len() * width];
            let mut out = QueryRows::new(&tables, &mut rows, &tokens, &queries);
            let heads = (0..shape.heads)
                .map(|head| (Weights::Straight(weights_of(head)), KeyRows::new(&tables, head, &tokens)));
            dispatch!(level, simd => weighted_sums(
                simd, &mut out, 0..queries.len(), 0..width, heads.clone(), 0..tokens.len()
            ));
            assert_eq!(rows, expected, "{level:?}");
            let mut d = Tables::new(shape);
            let mut out = KeySums::new(&mut d, 1, &tokens);
            let query_pairs = (Weights::Transposed(weights_of(1)), Rows { data: &d_rows, stride: width });
            dispatch!(level, simd => weighted_sums(
                simd, &mut out, 0..tokens.len(), 0..width, once(query_pairs), 0..queries.len()
            ));
            assert_eq!(d.heads[1].ov[..], d_ov[..], "{level:?}");
        }
    }
}
