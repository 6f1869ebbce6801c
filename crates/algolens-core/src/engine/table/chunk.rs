//! Some sequences through all blocks, forward.

use super::{
    activation::soft_cap,
    attention::{Place, attend},
    bend::Bent,
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
        vector::{Numbers, get, lanes_mut, numbers, padded},
    },
    model::Config,
    task::Token,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::ArrayView2;

/// The rows of a chunk of sequences, allocated once.
pub struct Chunk {
    /// Sequences that there is room for.
    pub sequences: usize,
    /// The residual stream at its start, `[sequence · row, d_model]`; not used where there is a row table.
    pub embedded: Matrix,
    /// The position of each row.
    pub positions: Vec<usize>,
    /// The key rows that are predicted, sequence by sequence.
    pub predicted: Vec<usize>,
    /// Of bent scores: 1, or 0 if a key is padding, `[sequence, key]`, keys padded.
    open: Numbers,
    pub blocks: Vec<BlockRows>,
    pub ln_final: Option<Norm>,
    /// `[sequence · query, d_vocab_out]`; after a loss, its gradient.
    pub logits: Matrix,
    /// The derivative of capped logits by what they were.
    pub logit_slope: Option<Matrix>,
}

/// The rows of one block.
pub struct BlockRows {
    /// None without heads.
    pub attention: Option<AttentionRows>,
    /// The residual stream that the MLP reads: behind attention, or in parallel to it before the block,
    /// `[sequence · query, d_model]`.
    pub resid: Matrix,
    pub mlp: Option<MlpRows>,
}

/// The rows of a block's attention.
pub struct AttentionRows {
    pub inputs: Inputs,
    /// `[sequence, head, query, key]`, keys padded.
    pub pattern: Numbers,
    /// Of bent scores, their derivative by what they were.
    pub slope: Option<Numbers>,
    /// `[sequence · query, head · padded d_head]`.
    pub z: Matrix,
}

impl BlockRows {
    /// The residual stream behind the block.
    pub fn out(&self) -> &Matrix {
        self.mlp.as_ref().map_or(&self.resid, |mlp| &mlp.out)
    }
}

impl Chunk {
    pub fn new(pass: Pass, sequences: usize) -> Self {
        let config = pass.model.config();
        let keys = pass.plan.keys();
        let block = |layer: usize| {
            let queries = sequences * pass.plan.queries(layer).all.len();
            let chosen = (!pass.plan.all_are_queries(layer)).then_some(queries);
            let pattern = || numbers(queries * config.n_heads * padded(keys), 0.0);
            let attention = || AttentionRows {
                inputs: Inputs::new(config, sequences * keys, chosen),
                pattern: pattern(),
                slope: pass.plan.bend.as_ref().map(|_| pattern()),
                z: Matrix::new(queries, config.n_heads * padded(config.d_head)),
            };
            BlockRows {
                attention: (config.n_heads > 0).then(attention),
                resid: Matrix::new(queries, config.d_model),
                mlp: config.mlp.map(|mlp| MlpRows::new(config, mlp, queries)),
            }
        };
        let predicted = &pass.plan.predicted().all;
        let predicted_rows = |sequence: usize| predicted.iter().map(move |query| sequence * keys + query.position);
        let logits = sequences * predicted.len();
        Self {
            sequences,
            embedded: Matrix::new(sequences * keys, config.d_model),
            positions: (0..sequences).flat_map(|_| pass.plan.rows()).copied().collect(),
            predicted: (0..sequences).flat_map(predicted_rows).collect(),
            open: numbers(if pass.plan.bend.is_some() { sequences * padded(keys) } else { 0 }, 1.0),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::of(config.final_normalization(), logits, config.d_model),
            logits: Matrix::new(logits, config.d_vocab_out),
            logit_slope: config.output_logits_soft_cap.map(|_| Matrix::new(logits, config.d_vocab_out)),
        }
    }

    /// The logits of sequences at the predicted positions.
    pub fn forward<S: Simd>(&mut self, simd: S, pass: Pass, table: Option<&RowTable>, tokens: ArrayView2<Token>) {
        let sequences = tokens.nrows();
        if table.is_none() {
            embed(pass.model, &mut self.embedded, pairs(pass, tokens));
        }
        if let Some(bend) = &pass.plan.bend {
            bend.open(tokens, pass.plan.keys(), &mut self.open);
        }
        for layer in 0..self.blocks.len() {
            match table.filter(|_| layer == 0) {
                Some(table) => self.look_up(pass, table, tokens),
                None => self.read(simd, pass, layer, sequences),
            }
            let BlockRows { attention, resid, mlp } = &mut self.blocks[layer];
            let rows = sequences * pass.plan.queries(layer).all.len();
            let mut attend = |to: &mut Matrix| {
                if let Some(attention) = attention {
                    attention.forward(simd, pass, layer, sequences, &self.open, to);
                }
            };
            match mlp {
                Some(mlp) if pass.model.config().parallel_attn_mlp => {
                    mlp.forward(simd, pass, layer, resid, rows);
                    attend(&mut mlp.out);
                }
                mlp => {
                    attend(resid);
                    if let Some(mlp) = mlp {
                        mlp.forward(simd, pass, layer, resid, rows);
                    }
                }
            }
        }
        self.unembed(simd, pass, sequences);
    }

    /// The first block's inputs from a table.
    fn look_up(&mut self, pass: Pass, table: &RowTable, tokens: ArrayView2<Token>) {
        let keys = pass.plan.keys();
        let BlockRows { attention, resid, .. } = &mut self.blocks[0];
        let attention = attention.as_mut().expect("only models with attention have a table");
        let [q, k, v] = &mut attention.inputs.qkv;
        let mut queries = q.rows_mut().zip(resid.rows_mut());
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
    fn read<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, sequences: usize) {
        let rows = sequences * pass.plan.keys();
        let (before, block) = self.blocks.split_at_mut(layer);
        let x = before.last().map_or(&self.embedded, BlockRows::out);
        let queries = &self.predicted[..sequences * pass.plan.predicted().all.len()];
        let queries = (!pass.plan.all_are_queries(layer)).then_some(queries);
        let BlockRows { attention, resid, .. } = &mut block[0];
        if let Some(AttentionRows { inputs, .. }) = attention {
            inputs.forward(simd, pass, layer, Stream { x, rows, positions: &self.positions[..rows], queries });
        }
        match queries {
            None => resid.first_mut(rows).copy_from_slice(x.first(rows)),
            Some(chosen) => {
                for (to, from) in resid.rows_mut().zip(chosen) {
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
        if let (Some(slope), Some(cap)) = (&mut self.logit_slope, pass.model.config().output_logits_soft_cap) {
            cap_logits(simd, self.logits.first_mut(rows), slope.first_mut(rows), cap as f32);
        }
        let width = self.logits.width;
        // What no class has: its probability is zero.
        self.logits.rows_mut().take(rows).for_each(|row| row[width..].fill(f32::NEG_INFINITY));
    }
}

impl AttentionRows {
    /// Adds to `out`, rows of queries, what attention writes.
    fn forward<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        layer: usize,
        sequences: usize,
        open: &[f32],
        out: &mut Matrix,
    ) {
        let Self { inputs, pattern, slope, z } = self;
        let config = pass.model.config();
        let queries = pass.plan.queries(layer);
        let share = queries.all.len() * padded(pass.plan.keys());
        let mut slopes = slope.iter_mut().flat_map(|slope| slope.chunks_exact_mut(share));
        for ((nth, at), pattern) in places(pass, layer, sequences).enumerate().zip(pattern.chunks_exact_mut(share)) {
            let bent = slopes.next().zip(pass.plan.bend.as_ref()).map(|(slope, bend)| {
                let sequence = nth / config.n_heads;
                Bent { config, layer, bend, open: &open[sequence * at.keys..][..at.keys], slope }
            });
            attend(simd, queries, at, inputs.qkv.each_ref(), pattern, bent, z);
        }
        let rows = sequences * queries.all.len();
        let params = &pass.model.params;
        let mut out = out.view_mut(rows);
        if let Some(b_o) = params.layout().blocks[layer].b_O {
            out += &params.get(b_o);
        }
        matmul::add(out, z.view(rows), pass.packed.blocks[layer].w_o.view());
    }
}

/// Caps logits, and leaves in `slope` the derivative of each.
#[simd]
fn cap_logits<S: Simd>(simd: S, logits: &mut [f32], slope: &mut [f32], cap: f32) {
    for (logits, slope) in lanes_mut::<S>(logits).zip(lanes_mut::<S>(slope)) {
        let (capped, bent) = soft_cap(simd, get(simd, logits), cap);
        capped.store_slice(logits);
        bent.store_slice(slope);
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

/// Position and token of each row, sequence by sequence.
pub fn pairs<'a>(pass: Pass<'a>, tokens: ArrayView2<'a, Token>) -> impl Iterator<Item = (usize, usize)> + 'a {
    let rows = pass.plan.rows();
    let of = move |sequence: usize| rows.iter().map(move |row| (*row, tokens[[sequence, *row]] as usize));
    (0..tokens.nrows()).flat_map(of)
}
