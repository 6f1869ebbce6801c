//! The first block's rows, once for each pair of a position and a token that a batch has: before attention, the residual
//! stream depends on nothing else.

use super::{
    gradients::Gradients,
    inputs::Inputs,
    matrix::Matrix,
    pass::{Pass, attends},
    stream::Stream,
};
use crate::dispatch;
use crate::{
    engine::{
        K, Q, V,
        level::Vectors,
        vector::{add_scaled, padded},
    },
    model::{Config, Model, Positions},
    parallel,
    task::Token,
};
use fearless_simd::Simd;
use fearless_simd_macros::simd;
use ndarray::ArrayView2;

/// Rows that are computed together.
const PART: usize = 128;
/// The most numbers that a table may have.
const MOST_NUMBERS: usize = 1 << 22;
/// No row.
const NONE: u32 = u32::MAX;

/// The numbers of a part.
pub fn part_numbers(config: &Config) -> u128 {
    (PART * (3 * config.n_heads * config.d_head + 2 * config.d_model)) as u128
}

/// The rows of the first block.
pub struct RowTable {
    /// The row of each pair, `[position, token]`, or `[token]` where positions are nowhere; empty where there would be too
    /// many, and without attention.
    row_of: Vec<u32>,
    /// From a position to the next in `row_of`.
    stride: usize,
    /// Positions that matter.
    keys: usize,
    /// Position and token of each row.
    pairs: Vec<(usize, usize)>,
    parts: Vec<Part>,
}

/// Some of the rows.
struct Part {
    /// The residual stream, `[row, d_model]`.
    x: Matrix,
    positions: Vec<usize>,
    inputs: Inputs,
}

/// Gradients by the rows of a table.
pub struct RowGradients {
    rows: usize,
    /// `[row, d_model]`.
    resid: Matrix,
    /// `[row, head · padded d_head]`.
    qkv: [Matrix; 3],
}

impl RowTable {
    pub fn new(config: &Config, keys: usize) -> Self {
        let nowhere = config.positional_embedding_type == Positions::None;
        let pairs = if nowhere { config.d_vocab } else { keys * config.d_vocab };
        Self {
            row_of: vec![NONE; if attends(config) && pairs <= MOST_NUMBERS { pairs } else { 0 }],
            stride: if nowhere { 0 } else { config.d_vocab },
            keys,
            pairs: Vec::new(),
            parts: Vec::new(),
        }
    }

    /// Takes the pairs of a batch; whether a table of them pays.
    pub fn find(&mut self, config: &Config, tokens: ArrayView2<Token>) -> bool {
        for (position, token) in self.pairs.drain(..) {
            self.row_of[position * self.stride + token] = NONE;
        }
        if self.row_of.is_empty() {
            return false;
        }
        let keys = self.keys;
        let width = config.d_model + 3 * config.n_heads * padded(config.d_head);
        let most = (tokens.nrows() * keys / 2).min(MOST_NUMBERS / width);
        for sequence in tokens.outer_iter() {
            for (position, token) in sequence.iter().take(keys).enumerate() {
                let row = &mut self.row_of[position * self.stride + *token as usize];
                if *row == NONE {
                    if self.pairs.len() == most {
                        return false;
                    }
                    *row = self.pairs.len() as u32;
                    self.pairs.push((position, *token as usize));
                }
            }
        }
        true
    }

    /// Computes the rows, parts of them in parallel.
    pub fn fill(&mut self, vectors: Vectors, pass: Pass) {
        let config = pass.model.config();
        let count = self.pairs.len().div_ceil(PART);
        while self.parts.len() < count {
            self.parts.push(Part {
                x: Matrix::new(PART, config.d_model),
                positions: Vec::new(),
                inputs: Inputs::new(config, PART, None),
            });
        }
        let parts = self.parts.iter_mut().zip(self.pairs.chunks(PART)).collect();
        parallel::for_each(parts, |(part, pairs): (&mut Part, &[(usize, usize)])| {
            dispatch!(vectors, simd => part.fill(simd, pass, pairs));
        });
    }

    /// The row of a pair that a batch has.
    pub fn row(&self, position: usize, token: Token) -> usize {
        self.row_of[position * self.stride + token as usize] as usize
    }

    /// The residual stream of a row.
    pub fn resid(&self, row: usize) -> &[f32] {
        self.parts[row / PART].x.row(row % PART)
    }

    /// A row's query, key or value.
    pub fn projected(&self, kind: usize, row: usize) -> &[f32] {
        self.parts[row / PART].inputs.qkv[kind].row(row % PART)
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// How many parts there are.
    pub fn parts(&self) -> usize {
        self.pairs.len().div_ceil(PART)
    }

    /// Adds to `gradients` those by the weights, from one part of what all groups have added up.
    #[simd]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        pass: Pass,
        at: usize,
        groups: &[RowGradients],
        scratch: &mut RowGradients,
        gradients: &mut Gradients,
    ) {
        let pairs = self.pairs.chunks(PART).nth(at).unwrap_or_default();
        let part = &self.parts[at];
        let first = at * PART;
        scratch.clear(pairs.len());
        for group in groups {
            for row in 0..pairs.len() {
                add_scaled(simd, scratch.resid.row_mut(row), group.resid.row(first + row), 1.0);
                for (sum, group_rows) in scratch.qkv.iter_mut().zip(&group.qkv) {
                    add_scaled(simd, sum.row_mut(row), group_rows.row(first + row), 1.0);
                }
            }
        }
        let mut d_x = Matrix::new(pairs.len(), part.x.width);
        let mut unused = Matrix::new(0, part.x.width);
        part.inputs.backward(simd, pass, 0, part.stream(), &mut scratch.qkv, &mut d_x, &mut unused, gradients);
        for row in 0..pairs.len() {
            add_scaled(simd, d_x.row_mut(row), scratch.resid.row(row), 1.0);
        }
        embed_backward(pass, &d_x, part.stream(), pairs.iter().map(|(_, token)| *token), gradients);
    }
}

impl Part {
    fn stream(&self) -> Stream<'_> {
        Stream { x: &self.x, rows: self.positions.len(), positions: &self.positions, queries: None }
    }

    #[inline(always)]
    fn fill<S: Simd>(&mut self, simd: S, pass: Pass, pairs: &[(usize, usize)]) {
        self.positions.clear();
        self.positions.extend(pairs.iter().map(|(position, _)| *position));
        embed(pass.model, &mut self.x, pairs.iter().copied());
        let stream = Stream { x: &self.x, rows: pairs.len(), positions: &self.positions, queries: None };
        self.inputs.forward(simd, pass, 0, stream);
    }
}

impl RowGradients {
    pub fn new(config: &Config, rows: usize) -> Self {
        let columns = config.n_heads * padded(config.d_head);
        Self { rows, resid: Matrix::new(rows, config.d_model), qkv: [0; 3].map(|_| Matrix::new(rows, columns)) }
    }

    /// For one part of a table.
    pub fn for_part(config: &Config) -> Self {
        Self::new(config, PART)
    }

    /// Whether there is room for a table's rows.
    pub fn fits(&self, table: &RowTable) -> bool {
        self.rows >= table.pairs.len()
    }

    /// For a table, with some room to grow.
    pub fn for_table(config: &Config, table: &RowTable) -> Self {
        Self::new(config, table.pairs.len().next_multiple_of(PART))
    }

    /// Sets the first rows to zero.
    pub fn clear(&mut self, rows: usize) {
        self.resid.first_mut(rows).fill(0.0);
        self.qkv.iter_mut().for_each(|d| d.first_mut(rows).fill(0.0));
    }

    /// Sets the rows of a table to zero.
    pub fn clear_table(&mut self, table: &RowTable) {
        self.clear(table.pairs.len());
    }

    /// Adds what reaches a query: its own residual vector's and its query's gradient.
    #[inline(always)]
    pub fn add_query<S: Simd>(&mut self, simd: S, row: usize, resid: &[f32], q: &[f32]) {
        add_scaled(simd, self.resid.row_mut(row), resid, 1.0);
        add_scaled(simd, self.qkv[Q].row_mut(row), q, 1.0);
    }

    /// Adds what reaches a key.
    #[inline(always)]
    pub fn add_key<S: Simd>(&mut self, simd: S, row: usize, k: &[f32], v: &[f32]) {
        add_scaled(simd, self.qkv[K].row_mut(row), k, 1.0);
        add_scaled(simd, self.qkv[V].row_mut(row), v, 1.0);
    }
}

/// The residual stream at its start, of (position, token) pairs.
pub fn embed(model: &Model, x: &mut Matrix, pairs: impl Iterator<Item = (usize, usize)>) {
    let (params, layout) = (&model.params, model.params.layout());
    let w_e = params.get(layout.W_E);
    let standard = model.config().positional_embedding_type == Positions::Standard;
    let w_pos = layout.W_pos.filter(|_| standard).map(|w_pos| params.get(w_pos));
    let width = x.width;
    for (row, (position, token)) in x.rows_mut().zip(pairs) {
        let mut row = ndarray::ArrayViewMut1::from(&mut row[..width]);
        row.assign(&w_e.row(token));
        if let Some(w_pos) = w_pos {
            row += &w_pos.row(position);
        }
    }
}

/// Adds the gradient of the residual stream at its start to those of the embeddings.
pub fn embed_backward(
    pass: Pass,
    d_x: &Matrix,
    stream: Stream,
    tokens: impl Iterator<Item = usize>,
    gradients: &mut Gradients,
) {
    gradients.add_tokens(d_x, tokens);
    if pass.model.config().positional_embedding_type == Positions::Standard {
        gradients.add_positions(d_x, stream);
    }
}
