//! What a block's attention reads: normalised rows, positions, and their queries, keys and values.

use super::{
    gradients::Gradients,
    matrix::{Matrix, add_rows},
    norm::Norm,
    pass::Pass,
    stream::Stream,
};
use crate::{
    engine::{
        K, Q, V, matmul,
        rotary::{Angles, Turn},
        vector::padded,
    },
    model::{Config, Positions},
};
use fearless_simd::Simd;
use ndarray::{ArrayView1, ArrayViewMut1};

/// Queries, keys and values of rows of the residual stream, and what they are computed from.
pub struct Inputs {
    ln1: Option<Norm>,
    /// Shortformer: normalised rows plus positions.
    with_pos: Option<Matrix>,
    /// The rows that queries are computed from, where these are not all.
    selected: Option<Matrix>,
    /// Queries of the chosen rows, keys and values of all, `[row, head · padded d_head]`.
    pub qkv: [Matrix; 3],
}

impl Inputs {
    /// Room for `rows` rows, and for the queries of so many chosen ones, or of all.
    pub fn new(config: &Config, rows: usize, chosen: Option<usize>) -> Self {
        let columns = config.n_heads * padded(config.d_head);
        let shortformer = config.positional_embedding_type == Positions::Shortformer;
        Self {
            ln1: Norm::of(config.normalization_type, rows, config.d_model),
            with_pos: shortformer.then(|| Matrix::new(rows, config.d_model)),
            selected: chosen.map(|chosen| Matrix::new(chosen, config.d_model)),
            qkv: [chosen.unwrap_or(rows), rows, rows].map(|rows| Matrix::new(rows, columns)),
        }
    }

    pub fn forward<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, stream: Stream) {
        let block = &pass.packed.blocks[layer];
        let rows = stream.rows;
        if let Some(ln1) = &mut self.ln1 {
            ln1.forward(simd, stream.x, rows, block.ln1.as_ref(), pass.eps());
        }
        let normed = self.ln1.as_ref().map_or(stream.x, Norm::out);
        if let Some(with_pos) = &mut self.with_pos {
            with_pos.first_mut(rows).copy_from_slice(normed.first(rows));
            let w_pos = pass.model.params.layout().W_pos.expect("shortformer positions have embeddings");
            let w_pos = pass.model.params.get(w_pos);
            for (mut row, position) in with_pos.view_mut(rows).rows_mut().into_iter().zip(stream.positions) {
                row += &w_pos.row(*position);
            }
        }
        let read = self.with_pos.as_ref().unwrap_or(normed);
        let mut queries = (read, rows);
        if let (Some(selected), Some(chosen)) = (&mut self.selected, stream.queries) {
            for (to, from) in selected.rows_mut().zip(chosen) {
                to.copy_from_slice(read.row(*from));
            }
            queries = (selected, chosen.len());
        }
        for (kind, (read, rows)) in [(Q, queries), (K, (read, rows)), (V, (normed, rows))] {
            let mut out = self.qkv[kind].view_mut(rows);
            matmul::set(out.view_mut(), read.view(rows), block.w[kind].view());
            out += &ArrayView1::from(&block.b[kind][..]);
        }
        if let Some(angles) = &pass.plan.angles {
            rotate(angles, pass.model.config(), stream, &mut self.qkv, Turn::Forth);
        }
    }

    /// `d_x`, the gradient of the stream's rows, from those of queries, keys and values (which it uses up); adds to the weights'.
    #[expect(clippy::too_many_arguments, reason = "what went forward, and the gradient of each")]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        pass: Pass,
        layer: usize,
        stream: Stream,
        d_qkv: &mut [Matrix; 3],
        d_x: &mut Matrix,
        scratch: &mut Matrix,
        gradients: &mut Gradients,
    ) {
        let (block, d_block) = (&pass.packed.blocks[layer], &mut gradients.packed.blocks[layer]);
        let rows = stream.rows;
        let normed = self.ln1.as_ref().map_or(stream.x, Norm::out);
        let read = self.with_pos.as_ref().unwrap_or(normed);
        let queries = match (&self.selected, stream.queries) {
            (Some(selected), Some(chosen)) => (selected, chosen.len()),
            _ => (read, rows),
        };
        if let Some(angles) = &pass.plan.angles {
            rotate(angles, pass.model.config(), stream, d_qkv, Turn::Back);
        }
        for (kind, (read, rows)) in [(Q, queries), (K, (read, rows)), (V, (normed, rows))] {
            let d = d_qkv[kind].view(rows);
            matmul::add(d_block.w[kind].view_mut(), read.view(rows).t(), d);
            matmul::add_row_sums(ArrayViewMut1::from(&mut d_block.b[kind][..]), d);
        }
        matmul::set(d_x.view_mut(rows), d_qkv[K].view(rows), block.w[K].t());
        match stream.queries {
            None => matmul::add(d_x.view_mut(rows), d_qkv[Q].view(rows), block.w[Q].t()),
            Some(chosen) => {
                matmul::set(scratch.view_mut(chosen.len()), d_qkv[Q].view(chosen.len()), block.w[Q].t());
                add_rows(simd, d_x, Some(chosen), scratch, chosen.len());
            }
        }
        if self.with_pos.is_some() {
            gradients.add_positions(d_x, stream);
        }
        matmul::add(d_x.view_mut(rows), d_qkv[V].view(rows), block.w[V].t());
        if let Some(ln1) = &self.ln1 {
            ln1.backward(simd, d_x, rows, block.ln1.as_ref(), gradients.packed.blocks[layer].ln1.as_mut());
        }
    }
}

/// Turns queries and keys, or their gradients, by the positions of their rows.
fn rotate(angles: &Angles<f32>, config: &Config, stream: Stream, [q, k, _]: &mut [Matrix; 3], turn: Turn) {
    let turn_row = |row: &mut [f32], position: usize| {
        for head in row.chunks_exact_mut(padded(config.d_head)) {
            angles.rotate_head(head, position, turn);
        }
    };
    match stream.queries {
        None => q.rows_mut().zip(stream.positions).for_each(|(row, position)| turn_row(row, *position)),
        Some(chosen) => q.rows_mut().zip(chosen).for_each(|(row, at)| turn_row(row, stream.positions[*at])),
    }
    k.rows_mut().zip(stream.positions).for_each(|(row, position)| turn_row(row, *position));
}
