//! Rows of queries and keys, as products read them from tables and add to them.

use super::tables::Tables;
use crate::engine::{
    products::{Accumulator, RowSource, Rows, RowsMut},
    queries::Query,
    vector::{Beside, load, store},
};
use crate::task::Token;
use fearless_simd::prelude::*;
use std::ops::Deref;

/// The rows of a token and of a position, each pair of them a sequence's place.
#[derive(Clone, Copy)]
struct BothRows<'a> {
    token_rows: Rows<'a>,
    position_rows: Rows<'a>,
}

impl<'a> BothRows<'a> {
    /// Of a table `[feature, …]`.
    #[inline(always)]
    fn new(table: Rows<'a>, tokens: usize) -> Self {
        Self { token_rows: table, position_rows: table.from(tokens) }
    }

    /// Whether there are so many tokens, and rows of these and of as many positions from 0 on.
    #[inline(always)]
    fn holds(self, tokens: &KeyTokens, keys: usize, columns: usize) -> bool {
        keys <= tokens.tokens.len()
            && self.token_rows.holds(tokens.beyond, columns)
            && self.position_rows.holds(keys, columns)
    }

    /// A column of a token's and a position's row.
    ///
    /// # Safety
    /// There are both.
    #[inline(always)]
    unsafe fn place(self, token: u32, position: usize, column: usize) -> [*const f32; 2] {
        // SAFETY: the caller's.
        unsafe { [self.token_rows.place(token as usize, column), self.position_rows.place(position, column)] }
    }
}

/// The tokens of a sequence's keys.
pub struct KeyTokens {
    tokens: Vec<u32>,
    /// One more than the largest that there was.
    beyond: usize,
}

impl KeyTokens {
    /// So many of token 0.
    pub fn new(keys: usize) -> Self {
        Self { tokens: vec![0; keys], beyond: 1 }
    }

    /// Replaces the first ones.
    pub fn read(&mut self, tokens: impl Iterator<Item = Token>) {
        for (token, read) in self.tokens.iter_mut().beside(tokens) {
            *token = read;
            self.beyond = self.beyond.max(read as usize + 1);
        }
    }
}

impl Deref for KeyTokens {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        &self.tokens
    }
}

/// OV\[t′\] + OV\[p′\] of every key (p′, t′).
#[derive(Clone, Copy)]
pub struct KeyRows<'a> {
    rows: BothRows<'a>,
    tokens: &'a KeyTokens,
}

impl<'a> KeyRows<'a> {
    /// Of the keys that have these tokens, through a head's OV circuit of so many tokens.
    #[inline(always)]
    pub fn new(ov: Rows<'a>, tokens: usize, keys: &'a KeyTokens) -> Self {
        Self { rows: BothRows::new(ov, tokens), tokens: keys }
    }
}

// SAFETY: `holds` asks for every token's row and for the keys' positions' rows.
unsafe impl RowSource for KeyRows<'_> {
    type Place = [*const f32; 2];

    #[inline(always)]
    fn holds(self, keys: usize, columns: usize) -> bool {
        self.rows.holds(self.tokens, keys, columns)
    }

    #[inline(always)]
    unsafe fn place(self, key: usize, column: usize) -> Self::Place {
        // SAFETY: the caller's: there is a token of this key, whose row there is, and one of its position.
        unsafe { self.rows.place(*self.tokens.tokens.get_unchecked(key), key, column) }
    }

    #[inline(always)]
    unsafe fn vector<S: Simd>(simd: S, [token, position]: Self::Place, at: usize) -> S::f32s {
        // SAFETY: the caller's.
        unsafe { Rows::vector(simd, token, at) + Rows::vector(simd, position, at) }
    }
}

/// Where the gradient of what a key writes goes: to its token's row and to its position's.
pub struct KeySums<'a> {
    ov: &'a mut [f32],
    stride: usize,
    /// Where positions' rows start.
    positions: usize,
    tokens: &'a KeyTokens,
}

impl<'a> KeySums<'a> {
    /// Of the keys that have these tokens, through a head.
    pub fn new(gradients: &'a mut Tables, head: usize, tokens: &'a KeyTokens) -> Self {
        let (stride, positions) = (gradients.shape.row_width(), gradients.shape.tokens);
        Self { ov: &mut gradients.heads[head].ov, stride, positions, tokens }
    }
}

// SAFETY: `holds` asks for every token's row and for the keys' positions' rows.
unsafe impl Accumulator for KeySums<'_> {
    #[inline(always)]
    fn holds(&self, keys: usize, columns: usize) -> bool {
        let rows = BothRows::new(Rows { data: self.ov, stride: self.stride }, self.positions);
        rows.holds(self.tokens, keys, columns)
    }

    #[inline(always)]
    unsafe fn start<S: Simd, const N: usize>(&self, simd: S, _: usize, _: usize) -> [S::f32s; N] {
        [S::f32s::splat(simd, 0.0); N]
    }

    #[inline(always)]
    unsafe fn put<S: Simd, const N: usize>(&mut self, simd: S, key: usize, column: usize, sums: &[S::f32s; N]) {
        // SAFETY: the caller's: there is a token of this key.
        let token = unsafe { *self.tokens.tokens.get_unchecked(key) } as usize;
        for row in [token, self.positions + key] {
            for (at, sum) in sums.iter().enumerate() {
                // SAFETY: the caller's: there is this row, and the vector in it. Nobody else has it.
                unsafe {
                    let place = self.ov.as_mut_ptr().add(row * self.stride + column + at * S::f32s::LEN);
                    store::<S>(load(simd, place) + *sum, place);
                }
            }
        }
    }
}

/// The queries' rows: what they attend to, from their direct paths on.
pub struct QueryRows<'a> {
    rows: RowsMut<'a>,
    direct: BothRows<'a>,
    tokens: &'a KeyTokens,
    queries: &'a [Query],
}

impl<'a> QueryRows<'a> {
    /// Of these queries among keys that have these tokens.
    pub fn new(tables: &'a Tables, rows: &'a mut [f32], tokens: &'a KeyTokens, queries: &'a [Query]) -> Self {
        let rows = RowsMut { data: rows, stride: tables.shape.row_width() };
        Self { rows, direct: BothRows::new(tables.direct(), tables.shape.tokens), tokens, queries }
    }
}

// SAFETY: `holds` asks for every query's row, and for the rows of all tokens and positions up to the last query's.
unsafe impl Accumulator for QueryRows<'_> {
    #[inline(always)]
    fn holds(&self, queries: usize, columns: usize) -> bool {
        let Some(all) = self.queries.get(..queries) else { return false };
        let positions = all.iter().fold(0, |beyond, query| beyond.max(query.position + 1));
        self.rows.holds(queries, columns) && self.direct.holds(self.tokens, positions, columns)
    }

    #[inline(always)]
    unsafe fn start<S: Simd, const N: usize>(&self, simd: S, query: usize, column: usize) -> [S::f32s; N] {
        // SAFETY: the caller's: there is this query, a token at its position, and the rows of both.
        let place = unsafe {
            let position = self.queries.get_unchecked(query).position;
            self.direct.place(*self.tokens.tokens.get_unchecked(position), position, column)
        };
        std::array::from_fn(
            #[inline(always)]
            |at| {
                // SAFETY: as above.
                unsafe { KeyRows::vector(simd, place, at * S::f32s::LEN) }
            },
        )
    }

    #[inline(always)]
    unsafe fn put<S: Simd, const N: usize>(&mut self, simd: S, query: usize, column: usize, sums: &[S::f32s; N]) {
        // SAFETY: the caller's.
        unsafe { self.rows.put(simd, query, column, sums) };
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
        let mut tokens = KeyTokens::new(7);
        tokens.read([3, 1, 3, 0, 3, 4, 1].into_iter());
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
            let heads = (0..shape.heads).map(|head| {
                (Weights::Straight(weights_of(head)), KeyRows::new(tables.ov(head), shape.tokens, &tokens))
            });
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
