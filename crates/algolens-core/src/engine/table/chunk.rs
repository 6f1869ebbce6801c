//! Some sequences through all blocks, forward.

use super::{
    attention::{Place, attend},
    inputs::Inputs,
    matrix::Matrix,
    mlp::MlpRows,
    norm::Norm,
    pass::Pass,
    rows::{RowTable, embed},
    stream::Stream,
};
use crate::{
    engine::{
        K, Q, V, matmul,
        vector::{Numbers, numbers, padded},
    },
    model::Config,
    task::Token,
};
use fearless_simd::Simd;
use ndarray::ArrayView2;

/// The rows of a chunk of sequences, allocated once.
pub struct Chunk {
    /// Sequences that there is room for.
    pub sequences: usize,
    /// The residual stream at its start, `[sequence · key, d_model]`; not used where there is a row table.
    pub embedded: Matrix,
    /// The position of each key row.
    pub positions: Vec<usize>,
    /// The key rows that are predicted, sequence by sequence.
    pub predicted: Vec<usize>,
    pub blocks: Vec<BlockRows>,
    pub ln_final: Option<Norm>,
    /// `[sequence · query, d_vocab_out]`; after a loss, its gradient.
    pub logits: Matrix,
}

/// The rows of one block.
pub struct BlockRows {
    pub inputs: Inputs,
    /// `[sequence, head, query, key]`, keys padded.
    pub pattern: Numbers,
    /// `[sequence · query, head · padded d_head]`.
    pub z: Matrix,
    /// The residual stream behind attention, `[sequence · query, d_model]`.
    pub resid_mid: Matrix,
    pub mlp: Option<MlpRows>,
}

impl BlockRows {
    /// The residual stream behind the block.
    pub fn out(&self) -> &Matrix {
        self.mlp.as_ref().map_or(&self.resid_mid, |mlp| &mlp.out)
    }
}

impl Chunk {
    pub fn new(pass: Pass, sequences: usize) -> Self {
        let config = pass.model.config();
        let keys = pass.plan.keys();
        let block = |layer: usize| {
            let queries = sequences * pass.plan.queries(layer).all.len();
            let chosen = (!pass.plan.all_are_queries(layer)).then_some(queries);
            BlockRows {
                inputs: Inputs::new(config, sequences * keys, chosen),
                pattern: numbers(queries * config.n_heads * padded(keys), 0.0),
                z: Matrix::new(queries, config.n_heads * padded(config.d_head)),
                resid_mid: Matrix::new(queries, config.d_model),
                mlp: config.mlp.map(|mlp| MlpRows::new(config, mlp, queries)),
            }
        };
        let predicted = &pass.plan.predicted().all;
        let predicted_rows = |sequence: usize| predicted.iter().map(move |query| sequence * keys + query.position);
        let logits = sequences * predicted.len();
        Self {
            sequences,
            embedded: Matrix::new(sequences * keys, config.d_model),
            positions: (0..sequences * keys).map(|row| row % keys).collect(),
            predicted: (0..sequences).flat_map(predicted_rows).collect(),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::of(config.final_normalization(), logits, config.d_model),
            logits: Matrix::new(logits, config.d_vocab_out),
        }
    }

    /// The logits of sequences at the predicted positions.
    pub fn forward<S: Simd>(&mut self, simd: S, pass: Pass, table: Option<&RowTable>, tokens: ArrayView2<Token>) {
        let sequences = tokens.nrows();
        for layer in 0..self.blocks.len() {
            match table.filter(|_| layer == 0) {
                Some(table) => self.look_up(pass, table, tokens),
                None => self.read(simd, pass, layer, tokens),
            }
            let block = &mut self.blocks[layer];
            block.attention(simd, pass, layer, sequences);
            if let Some(mlp) = &mut block.mlp {
                mlp.forward(simd, pass, layer, &block.resid_mid, sequences * pass.plan.queries(layer).all.len());
            }
        }
        self.unembed(simd, pass, sequences);
    }

    /// The first block's inputs from a table.
    fn look_up(&mut self, pass: Pass, table: &RowTable, tokens: ArrayView2<Token>) {
        let keys = pass.plan.keys();
        let BlockRows { inputs, resid_mid, .. } = &mut self.blocks[0];
        let [q, k, v] = &mut inputs.qkv;
        let mut queries = q.rows_mut().zip(resid_mid.rows_mut());
        let mut keys_and_values = k.rows_mut().zip(v.rows_mut());
        for sequence in tokens.outer_iter() {
            for (query, (q, resid)) in pass.plan.queries(0).all.iter().zip(&mut queries) {
                let row = table.row(query.position, sequence[query.position]);
                q.copy_from_slice(table.projected(Q, row));
                resid.copy_from_slice(table.resid(row));
            }
            for (position, (k, v)) in (0..keys).zip(&mut keys_and_values) {
                let row = table.row(position, sequence[position]);
                k.copy_from_slice(table.projected(K, row));
                v.copy_from_slice(table.projected(V, row));
            }
        }
    }

    /// A block's inputs from the residual stream before it.
    fn read<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, tokens: ArrayView2<Token>) {
        let rows = tokens.nrows() * pass.plan.keys();
        if layer == 0 {
            embed(pass.model, &mut self.embedded, pairs(pass, tokens));
        }
        let (before, block) = self.blocks.split_at_mut(layer);
        let x = before.last().map_or(&self.embedded, BlockRows::out);
        let queries = &self.predicted[..tokens.nrows() * pass.plan.predicted().all.len()];
        let queries = (!pass.plan.all_are_queries(layer)).then_some(queries);
        let stream = Stream { x, rows, positions: &self.positions[..rows], queries };
        let BlockRows { inputs, resid_mid, .. } = &mut block[0];
        inputs.forward(simd, pass, layer, stream);
        match queries {
            None => resid_mid.first_mut(rows).copy_from_slice(x.first(rows)),
            Some(chosen) => {
                for (to, from) in resid_mid.rows_mut().zip(chosen) {
                    to.copy_from_slice(x.row(*from));
                }
            }
        }
    }

    /// The inputs of a block's attention, once it has been read.
    pub fn stream<'a>(&'a self, pass: Pass, layer: usize, sequences: usize) -> Stream<'a> {
        let rows = sequences * pass.plan.keys();
        let x = if layer == 0 { &self.embedded } else { self.blocks[layer - 1].out() };
        let queries = &self.predicted[..sequences * pass.plan.predicted().all.len()];
        let queries = (!pass.plan.all_are_queries(layer)).then_some(queries);
        Stream { x, rows, positions: &self.positions[..rows], queries }
    }

    fn unembed<S: Simd>(&mut self, simd: S, pass: Pass, sequences: usize) {
        let (params, layout) = (&pass.model.params, pass.model.params.layout());
        let rows = sequences * pass.plan.predicted().all.len();
        let resid = self.blocks.last().map_or(&self.embedded, BlockRows::out);
        if let Some(ln_final) = &mut self.ln_final {
            ln_final.forward(simd, resid, rows, pass.packed.ln_final.as_ref(), pass.eps());
        }
        let read = self.ln_final.as_ref().map_or(resid, Norm::out);
        let mut logits = self.logits.view_mut(rows);
        matmul::set(logits.view_mut(), read.view(rows), params.unembedding());
        if let Some(b_u) = layout.b_U {
            logits += &params.get(b_u);
        }
        let width = self.logits.width;
        // What no class has: its probability is zero.
        self.logits.rows_mut().take(rows).for_each(|row| row[width..].fill(f32::NEG_INFINITY));
    }
}

impl BlockRows {
    fn attention<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, sequences: usize) {
        let queries = pass.plan.queries(layer);
        let share = queries.all.len() * padded(pass.plan.keys());
        for (at, pattern) in places(pass, layer, sequences).zip(self.pattern.chunks_exact_mut(share)) {
            attend(simd, queries, at, self.inputs.qkv.each_ref(), pattern, &mut self.z);
        }
        let rows = sequences * queries.all.len();
        let params = &pass.model.params;
        let mut resid_mid = self.resid_mid.view_mut(rows);
        if let Some(b_o) = params.layout().blocks[layer].b_O {
            resid_mid += &params.get(b_o);
        }
        matmul::add(resid_mid, self.z.view(rows), pass.packed.blocks[layer].w_o.view());
    }
}

/// Where each sequence's and head's rows stand, sequence by sequence.
pub fn places(pass: Pass, layer: usize, sequences: usize) -> impl Iterator<Item = Place> {
    let Config { n_heads, d_head, .. } = *pass.model.config();
    let (queries, keys, width) = (pass.plan.queries(layer).all.len(), pass.plan.keys(), padded(d_head));
    let place = move |sequence: usize, head: usize| Place {
        query: sequence * queries,
        key: sequence * keys,
        column: head * width,
        width,
        keys: padded(keys),
    };
    (0..sequences).flat_map(move |sequence| (0..n_heads).map(move |head| place(sequence, head)))
}

/// Position and token of each key row, sequence by sequence.
pub fn pairs<'a>(pass: Pass<'a>, tokens: ArrayView2<'a, Token>) -> impl Iterator<Item = (usize, usize)> + 'a {
    let keys = pass.plan.keys();
    tokens.into_iter().enumerate().filter_map({
        let seq = tokens.ncols();
        move |(at, token)| (at % seq < keys).then_some((at % seq, *token as usize))
    })
}
