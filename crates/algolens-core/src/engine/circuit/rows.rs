//! Rows of queries and keys, as products read them from tables and add to them.

use super::tables::Tables;
use crate::engine::{
    products::{Rows, RowsMut, Sums, Terms},
    queries::Query,
    vector::{add_to, lanes_mut},
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

/// The queries' rows: what they attend to, from their direct paths on.
pub struct QueryRows<'a> {
    rows: RowsMut<'a>,
    of_tokens: Rows<'a>,
    of_positions: Rows<'a>,
    tokens: &'a [u32],
    queries: &'a [Query],
}

impl<'a> QueryRows<'a> {
    /// Of these queries among keys that have these tokens.
    pub fn new(tables: &'a Tables, rows: &'a mut [f32], tokens: &'a [u32], queries: &'a [Query]) -> Self {
        let direct = tables.direct();
        let rows = RowsMut { data: rows, stride: tables.shape.row_width() };
        Self { rows, of_tokens: direct, of_positions: direct.from(tables.shape.tokens), tokens, queries }
    }
}

impl Sums for QueryRows<'_> {
    #[inline(always)]
    fn start<S: Simd, const N: usize>(&self, simd: S, query: usize, column: usize) -> [S::f32s; N] {
        let (position, columns) = (self.queries[query].position, column..column + N * S::f32s::LEN);
        let of_token = self.of_tokens.columns(self.tokens[position] as usize, columns.clone());
        let row = [of_token, self.of_positions.columns(position, columns)];
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
            norms: true,
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
        let of_both = |table: &[f32], position: usize, column: usize| {
            [tokens[position] as usize, shape.tokens + position].map(|feature| table[feature * width + column])
        };
        let mut expected = vec![0.0; queries.len() * width];
        let mut d_ov = vec![0.0; shape.features() * width];
        for (at, expected) in expected.iter_mut().enumerate() {
            let (query, column) = (at / width, at % width);
            *expected = of_both(&tables.direct, queries[query].position, column).iter().sum();
            for (key, token) in tokens.iter().enumerate() {
                for head in 0..shape.heads {
                    let written: f32 = of_both(&tables.heads[head].ov, key, column).iter().sum();
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
            let of_queries = (Weights::Transposed(weights_of(1)), Rows { data: &d_rows, stride: width });
            dispatch!(level, simd => weighted_sums(
                simd, &mut out, 0..tokens.len(), 0..width, once(of_queries), 0..queries.len()
            ));
            assert_eq!(d.heads[1].ov[..], d_ov[..], "{level:?}");
        }
    }
}
