//! Some sequences through all blocks, forward.

use super::{
    activation::soft_cap,
    attention::{Place, attend},
    bend::Bent,
    inputs::Inputs,
    matrix::Matrix,
    mlp::MlpRows,
    norm::Norm,
    pass::{Pass, Plan},
    places::Places,
    rows::{RowTable, embed},
    stream::Stream,
};
use crate::{
    engine::{
        K, Q, V, matmul,
        vector::{Numbers, get, lanes_mut, numbers, padded},
    },
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
    pub places: Places,
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
    /// Where prefixes are shared, the keys and values of the last sequence so far, `[key, head · padded d_head]`.
    cache: Option<[Matrix; 2]>,
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
                cache: None,
            };
            BlockRows {
                attention: (config.n_heads > 0).then(attention),
                resid: Matrix::new(queries, config.d_model),
                mlp: config.mlp.map(|mlp| MlpRows::new(config, mlp, queries)),
            }
        };
        let logits = sequences * pass.plan.predicted().all.len();
        Self {
            sequences,
            embedded: Matrix::new(sequences * keys, config.d_model),
            places: Places::default(),
            open: numbers(if pass.plan.bend.is_some() { sequences * padded(keys) } else { 0 }, 1.0),
            blocks: (0..config.n_layers).map(block).collect(),
            ln_final: Norm::of(config.final_normalization(), logits, config.d_model),
            logits: Matrix::new(logits, config.d_vocab_out),
            logit_slope: config.output_logits_soft_cap.map(|_| Matrix::new(logits, config.d_vocab_out)),
        }
    }

    /// How many of the next sequences there is room for; `shared` are the positions that each shares with the one before it.
    pub fn room(&self, plan: &Plan, shared: &[usize]) -> usize {
        let mut left = [plan.keys(), plan.predicted().all.len()].map(|rows| rows * self.sequences);
        let fits = |shared: &&usize| {
            let rows = [plan.keys() - **shared, plan.predicted().all.len() - plan.predictions_before(**shared)];
            left.iter_mut().zip(rows).all(|(left, rows)| {
                let fits = rows <= *left;
                *left = left.saturating_sub(rows);
                fits
            })
        };
        shared.iter().take_while(fits).count()
    }

    /// The logits of sequences at the predicted positions. Where prefixes are `shared`, these are positions that each shares
    /// with the sequence before it, the first with the last of the call before: rows and logits are those of the others.
    pub fn forward<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        table: Option<&RowTable>,
        tokens: ArrayView2<Token>,
        shared: Option<&[usize]>,
    ) {
        self.places.set(pass.plan, tokens.nrows(), shared);
        if table.is_none() {
            embed(pass.model, &mut self.embedded, self.places.pairs(tokens));
        }
        if let Some(bend) = &pass.plan.bend {
            bend.open(tokens, pass.plan.keys(), &mut self.open);
        }
        for layer in 0..self.blocks.len() {
            match table.filter(|_| layer == 0) {
                Some(table) => self.look_up(pass, table, tokens),
                None => self.read(simd, pass, layer),
            }
            let BlockRows { attention, resid, mlp } = &mut self.blocks[layer];
            let rows = self.places.queries(pass.plan, layer);
            let mut attend = |to: &mut Matrix| {
                if let Some(attention) = attention {
                    attention.forward(simd, pass, layer, &self.places, &self.open, to);
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
        self.unembed(simd, pass);
    }

    /// The first block's inputs from a table.
    fn look_up(&mut self, pass: Pass, table: &RowTable, tokens: ArrayView2<Token>) {
        let BlockRows { attention, resid, .. } = &mut self.blocks[0];
        let attention = attention.as_mut().expect("only models with attention have a table");
        let [q, k, v] = &mut attention.inputs.qkv;
        let mut queries = q.rows_mut().zip(resid.rows_mut());
        let mut keys_and_values = k.rows_mut().zip(v.rows_mut());
        let keys = pass.plan.keys();
        for (sequence, rows) in tokens.outer_iter().zip(self.places.sequences()) {
            let first = rows.first_query(pass.plan, 0);
            for (query, (q, resid)) in pass.plan.queries(0).all[first..].iter().zip(&mut queries) {
                let row = table.row(query.position, sequence[query.position]);
                q.copy_from_slice(table.projected(Q, row));
                resid.copy_from_slice(table.resid(row));
            }
            for (position, (k, v)) in (rows.shared..keys).zip(&mut keys_and_values) {
                let row = table.row(position, sequence[position]);
                k.copy_from_slice(table.projected(K, row));
                v.copy_from_slice(table.projected(V, row));
            }
        }
    }

    /// A block's inputs from the residual stream before it.
    fn read<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize) {
        let (before, block) = self.blocks.split_at_mut(layer);
        let stream = stream(pass, layer, &self.places, before.last().map_or(&self.embedded, BlockRows::out));
        let BlockRows { attention, resid, .. } = &mut block[0];
        if let Some(AttentionRows { inputs, .. }) = attention {
            inputs.forward(simd, pass, layer, stream);
        }
        let Stream { x, rows, queries, .. } = stream;
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
    pub fn stream(&self, pass: Pass, layer: usize) -> Stream<'_> {
        let x = if layer == 0 { &self.embedded } else { self.blocks[layer - 1].out() };
        stream(pass, layer, &self.places, x)
    }

    fn unembed<S: Simd>(&mut self, simd: S, pass: Pass) {
        let (params, layout) = (&pass.model.params, pass.model.params.layout());
        let rows = self.places.predicted.len();
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
    fn forward<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, places: &Places, open: &[f32], out: &mut Matrix) {
        if places.shared {
            self.attend_to_cache(simd, pass, layer, places);
        } else {
            self.attend(simd, pass, layer, places, open);
        }
        let z = &self.z;
        let rows = places.queries(pass.plan, layer);
        let params = &pass.model.params;
        let mut out = out.view_mut(rows);
        if let Some(b_o) = params.layout().blocks[layer].b_O {
            out += &params.get(b_o);
        }
        matmul::add(out, z.view(rows), pass.packed.blocks[layer].w_o.view());
    }

    /// What each query gets of the keys of its own sequence.
    fn attend<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, places: &Places, open: &[f32]) {
        let Self { inputs, pattern, slope, z, .. } = self;
        let config = pass.model.config();
        for (rows, nth) in places.sequences().iter().zip(0..) {
            for at in places.heads(pass, layer, rows) {
                let bent = slope.as_mut().zip(pass.plan.bend.as_ref()).map(|(slope, bend)| {
                    let open = &open[nth * at.keys..][..at.keys];
                    Bent { config, layer, bend, open, slope: &mut slope[at.patterns()] }
                });
                attend(simd, at, inputs.qkv.each_ref(), &mut pattern[at.patterns()], bent, z);
            }
        }
    }

    /// The same where sequences have keys and values of the sequence before them.
    fn attend_to_cache<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, places: &Places) {
        let Self { inputs, pattern, z, cache, .. } = self;
        let [q, k, v] = &inputs.qkv;
        let keys = pass.plan.keys();
        let cache = cache.get_or_insert_with(|| [k, v].map(|rows| Matrix::new(keys, rows.width)));
        let mut made = k.rows().zip(v.rows());
        for rows in places.sequences() {
            for (key, (k, v)) in (rows.shared..keys).zip(&mut made) {
                cache[0].row_mut(key).copy_from_slice(k);
                cache[1].row_mut(key).copy_from_slice(v);
            }
            for at in places.heads(pass, layer, rows) {
                let at = Place { key: 0, ..at };
                attend(simd, at, [q, &cache[0], &cache[1]], &mut pattern[at.patterns()], None, z);
            }
        }
    }
}

/// The residual stream `x` as the inputs of a block.
fn stream<'a>(pass: Pass, layer: usize, places: &'a Places, x: &'a Matrix) -> Stream<'a> {
    let queries = (!pass.plan.all_are_queries(layer)).then_some(&places.predicted[..]);
    Stream { x, rows: places.positions.len(), positions: &places.positions, queries }
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
