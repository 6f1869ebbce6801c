//! Some sequences through all blocks, backward.

use super::{
    attention::attend_backward,
    chunk::{AttentionRows, BlockRows, Chunk},
    gradients::Gradients,
    matrix::{Matrix, add_rows, multiply},
    mlp::MlpScratch,
    norm::Norm,
    pass::Pass,
    places::Places,
    rows::{RowGradients, RowTable, embed_backward},
};
use crate::{
    engine::{
        Batch, K, Q, Score, V,
        loss::padded_loss_gradient,
        matmul,
        softmax::predict,
        vector::{Numbers, numbers, padded},
    },
    task::{RightView, TargetsView, Token},
};
use fearless_simd::Simd;
use fearless_simd_macros::simd;
use ndarray::ArrayView2;

/// The memory of the way back through a chunk.
pub struct Backward {
    /// Of the residual stream, `[row, d_model]`.
    resid: Matrix,
    /// Of a block's normalised inputs, `[row, d_model]`.
    read: Matrix,
    /// `[row, d_model]`.
    scratch: Matrix,
    mlp: Option<MlpScratch>,
    /// `[row, head · padded d_head]`.
    qkv: [Matrix; 3],
    /// `[row, head · padded d_head]`.
    z: Matrix,
    /// Of one sequence's and head's scores, `[query, key]`.
    scores: Numbers,
}

/// Where gradients go.
pub struct Sums<'a> {
    /// What the weighted sum of the losses is multiplied by.
    pub scale: f32,
    /// By the weights.
    pub gradients: &'a mut Gradients,
    /// The table that the first block was looked up in, and the gradients by its rows.
    pub table: Option<(&'a RowTable, &'a mut RowGradients)>,
}

impl Backward {
    pub fn new(pass: Pass, chunk: &Chunk) -> Self {
        let config = pass.model.config();
        let keys = pass.plan.keys();
        let queries = pass.plan.predicted().all.len().max(keys);
        let rows = chunk.sequences * queries;
        let wide = || Matrix::new(rows, config.d_model);
        let heads = || Matrix::new(rows, config.n_heads * padded(config.d_head));
        Self {
            resid: wide(),
            read: wide(),
            scratch: wide(),
            mlp: config.mlp.map(|mlp| MlpScratch::new(config, mlp, rows)),
            qkv: [0; 3].map(|_| heads()),
            z: heads(),
            scores: numbers(queries * padded(keys), 0.0),
        }
    }

    /// Adds the gradients of sequences that went forward, and scores them.
    pub fn backward<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        chunk: &mut Chunk,
        Batch { tokens, targets, .. }: Batch,
        sums: &mut Sums,
    ) -> Score {
        let score = logits_backward(simd, &mut chunk.logits, targets, sums.scale);
        self.unembed(simd, pass, chunk, sums.gradients);
        for layer in (0..chunk.blocks.len()).rev() {
            let block = &chunk.blocks[layer];
            if pass.model.config().parallel_attn_mlp {
                self.attention(simd, pass, block, layer, &chunk.places, sums.gradients);
                self.mlp(simd, pass, block, layer, &chunk.places, sums.gradients);
            } else {
                self.mlp(simd, pass, block, layer, &chunk.places, sums.gradients);
                self.attention(simd, pass, block, layer, &chunk.places, sums.gradients);
            }
            match sums.table.as_mut().filter(|_| layer == 0) {
                Some((table, d)) => self.look_up(simd, pass, table, d, tokens),
                None => self.read(simd, pass, chunk, layer, sums.gradients),
            }
        }
        if sums.table.is_none() {
            let tokens = chunk.places.pairs(tokens).map(|(_, token)| token);
            embed_backward(pass, &self.resid, chunk.stream(pass, 0), tokens, sums.gradients);
        }
        score
    }

    fn unembed<S: Simd>(&mut self, simd: S, pass: Pass, chunk: &mut Chunk, gradients: &mut Gradients) {
        let (params, layout) = (&pass.model.params, pass.model.params.layout());
        let rows = chunk.places.predicted.len();
        if let Some(slope) = &chunk.logit_slope {
            multiply(simd, chunk.logits.first_mut(rows), slope.first(rows));
        }
        let d_logits = chunk.logits.view(rows);
        let resid = chunk.blocks.last().map_or(&chunk.embedded, BlockRows::out);
        let read = chunk.ln_final.as_ref().map_or(resid, Norm::out);
        matmul::add(gradients.params.unembedding_mut(), read.view(rows).t(), d_logits);
        gradients.add_bias(layout.b_U, d_logits);
        matmul::set(self.resid.view_mut(rows), d_logits, params.unembedding().t());
        if let Some(ln_final) = &chunk.ln_final {
            let d_weights = gradients.packed.ln_final.as_mut();
            ln_final.backward(simd, &mut self.resid, rows, pass.packed.ln_final.as_ref(), d_weights);
        }
    }

    /// From the residual stream behind a block's MLP to that before it.
    fn mlp<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        block: &BlockRows,
        layer: usize,
        places: &Places,
        gradients: &mut Gradients,
    ) {
        if let (Some(mlp), Some(scratch)) = (&block.mlp, &mut self.mlp) {
            let rows = places.queries(pass.plan, layer);
            mlp.backward(simd, pass, layer, &block.resid, &mut self.resid, scratch, rows, gradients);
        }
    }

    /// From the residual stream behind attention to queries, keys and values.
    fn attention<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        block: &BlockRows,
        layer: usize,
        places: &Places,
        gradients: &mut Gradients,
    ) {
        let Some(AttentionRows { inputs, pattern, slope, z, .. }) = &block.attention else { return };
        let queries = pass.plan.queries(layer);
        let rows = places.queries(pass.plan, layer);
        let d_mid = self.resid.view(rows);
        gradients.add_bias(pass.model.params.layout().blocks[layer].b_O, d_mid);
        matmul::add(gradients.packed.blocks[layer].w_o.view_mut(), z.view(rows).t(), d_mid);
        matmul::set(self.z.view_mut(rows), d_mid, pass.packed.blocks[layer].w_o.t());
        for at in places.sequences().iter().flat_map(|rows| places.heads(pass, layer, rows)) {
            let (qkv, pattern) = (inputs.qkv.each_ref(), &pattern[at.patterns()]);
            let slope = slope.as_ref().map(|slope| &slope[at.patterns()]);
            attend_backward(simd, queries, at, qkv, pattern, slope, &self.z, self.qkv.each_mut(), &mut self.scores);
        }
    }

    /// To the rows of the table.
    #[simd]
    fn look_up<S: Simd>(&self, simd: S, pass: Pass, table: &RowTable, d: &mut RowGradients, tokens: ArrayView2<Token>) {
        let keys = pass.plan.keys();
        let mut queries = self.resid.rows().zip(self.qkv[Q].rows());
        let mut keys_and_values = self.qkv[K].rows().zip(self.qkv[V].rows());
        for sequence in tokens.outer_iter() {
            for (query, (resid, q)) in pass.plan.queries(0).all.iter().zip(&mut queries) {
                d.add_query(simd, table.row(query.position, sequence[query.position]), resid, q);
            }
            for (position, (k, v)) in (0..keys).zip(&mut keys_and_values) {
                d.add_key(simd, table.row(position, sequence[position]), k, v);
            }
        }
    }

    /// To the residual stream before the block.
    fn read<S: Simd>(&mut self, simd: S, pass: Pass, chunk: &Chunk, layer: usize, gradients: &mut Gradients) {
        let Some(attention) = &chunk.blocks[layer].attention else { return };
        let stream = chunk.stream(pass, layer);
        let Self { resid, read, scratch, qkv, .. } = self;
        attention.inputs.backward(simd, pass, layer, stream, qkv, read, scratch, gradients);
        let count = stream.queries.map_or(stream.rows, <[usize]>::len);
        add_rows(simd, read, stream.queries, resid, count);
        std::mem::swap(resid, read);
    }
}

/// Replaces logits by the gradient of `scale` times the weighted sum of the losses, and scores them.
#[simd]
fn logits_backward<S: Simd>(simd: S, logits: &mut Matrix, targets: TargetsView, scale: f32) -> Score {
    let RightView::Classes(right) = targets.right else {
        let classes = logits.width;
        return padded_loss_gradient(logits.rows_mut(), classes, targets, scale);
    };
    let mut score = Score::default();
    for (row, (class, weight)) in logits.rows_mut().zip(right.iter().zip(targets.each_weight())) {
        let prediction = predict(simd, row, *class as usize);
        prediction.gradient(simd, row, *class as usize, scale * weight);
        score.add(prediction.outcome().weighted(weight).into());
    }
    score
}
