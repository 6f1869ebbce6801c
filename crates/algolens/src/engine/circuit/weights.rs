//! From a model's weights to its circuits.

use super::{
    shape::Shape,
    tables::{HeadTables, Tables, qk_parts, row_parts},
};
use crate::{
    engine::{
        K, Q, V, matmul, parallel,
        vector::{Vectors, square_of_sum},
    },
    model::{BlockLayout, Model},
};
use fearless_simd::{Simd, dispatch};
use fearless_simd_macros::simd;
use ndarray::{Array1, Array2, ArrayViewMut2, Axis, s};

/// The circuits of a model, and what they are made from: the way back needs it again.
pub struct Circuits {
    pub tables: Tables,
    /// Centred embeddings X, `[feature, d_model]`.
    pub x: Array2<f32>,
    pub heads: Vec<Head>,
    /// A query's own residual vector, `[feature, d_model]`; see [`Tables::direct`].
    pub direct: Array2<f32>,
    /// The final norm's weight folded into W_U, `[d_model, classes]`.
    pub w_u: Array2<f32>,
}

/// What one head's circuits are made from; or gradients by it.
pub struct Head {
    /// The norm's weight folded into W_Q (which also has 1/√d_head), W_K and W_V, `[d_model, d_head]`.
    pub w: [Array2<f32>; 3],
    /// The norm's bias folded into b_Q (with 1/√d_head), b_K and b_V, `[d_head]`.
    pub b: [Array1<f32>; 3],
    /// X times `w`, and for queries a last row `b`, `[feature (or bias), d_head]`.
    pub projected: [Array2<f32>; 3],
    /// What a feature's value writes to the residual stream, centred, `[feature, d_model]`.
    pub written: Array2<f32>,
}

impl Head {
    pub fn new(shape: Shape) -> Self {
        let Shape { d_model, d_head, .. } = shape;
        let features = shape.features();
        Self {
            w: [0; 3].map(|_| Array2::zeros((d_model, d_head))),
            b: [0; 3].map(|_| Array1::zeros(d_head)),
            projected: [features + 1, features, features].map(|rows| Array2::zeros((rows, d_head))),
            written: Array2::zeros((features, d_model)),
        }
    }
}

impl Circuits {
    pub fn new(shape: Shape) -> Self {
        let of_features = || Array2::zeros((shape.features(), shape.d_model));
        Self {
            tables: Tables::new(shape),
            x: of_features(),
            heads: (0..shape.heads).map(|_| Head::new(shape)).collect(),
            direct: of_features(),
            w_u: Array2::zeros((shape.d_model, shape.classes)),
        }
    }

    /// Computes everything from a model's weights, its heads in parallel.
    pub fn fill(&mut self, vectors: Vectors, model: &Model) {
        self.fill_x(model);
        if self.tables.shape.norms {
            dispatch!(vectors.level(), simd => fill_scale(simd, &mut self.tables, &self.x));
        }
        self.fill_unembedding(model);
        let Self { tables, x, w_u, .. } = self;
        let shape = tables.shape;
        let heads = self.heads.iter_mut().zip(&mut tables.heads).enumerate().collect();
        parallel::for_each(heads, |(at, (head, tables)): (usize, (&mut Head, &mut HeadTables))| {
            head.fold_norm(model, at);
            head.project(x);
            head.fill_qk(&mut tables.qk, shape);
            head.fill_written(model, at, shape);
            fill_rows(&mut tables.ov, &head.written, w_u, shape);
        });
        self.fill_direct(model);
    }

    fn fill_x(&mut self, model: &Model) {
        let Shape { tokens, positions, norms, .. } = self.tables.shape;
        let (params, layout) = (&model.params, model.params.layout());
        self.x.slice_mut(s![..tokens, ..]).assign(&params.get(layout.W_E));
        self.x.slice_mut(s![tokens.., ..]).assign(&params.get(layout.W_pos).slice(s![..positions, ..]));
        if norms {
            centre(self.x.view_mut());
        }
    }

    /// The final norm's weight goes into W_U, its bias into b_U.
    fn fill_unembedding(&mut self, model: &Model) {
        let (params, layout) = (&model.params, model.params.layout());
        self.w_u.assign(&params.get(layout.W_U));
        let bias = &mut self.tables.bias;
        // What no class has: its probability is zero.
        bias.fill(f32::NEG_INFINITY);
        bias.iter_mut().zip(params.get(layout.b_U)).for_each(|(bias, b_u)| *bias = *b_u);
        if let Some(ln_final) = layout.ln_final {
            let from_norm = params.get(ln_final.b).dot(&self.w_u);
            bias.iter_mut().zip(&from_norm).for_each(|(bias, b)| *bias += b);
            self.w_u *= &params.get(ln_final.w).insert_axis(Axis(1));
        }
    }

    fn fill_direct(&mut self, model: &Model) {
        let shape = self.tables.shape;
        let block = block(model);
        let w_o = model.params.get(block.W_O);
        let mut constant: Array1<f32> = model.params.get(block.b_O).to_owned();
        for (head, w_o) in self.heads.iter().zip(w_o.outer_iter()) {
            constant += &head.b[V].dot(&w_o);
        }
        if shape.norms {
            centre(constant.view_mut().insert_axis(Axis(0)));
        }
        self.direct.assign(&self.x);
        let mut of_positions = self.direct.slice_mut(s![shape.tokens.., ..]);
        of_positions += &constant;
        fill_rows(&mut self.tables.direct, &self.direct, &self.w_u, shape);
    }
}

impl Head {
    fn fold_norm(&mut self, model: &Model, at: usize) {
        let (params, block) = (&model.params, block(model));
        for kind in [Q, K, V] {
            let (w, b) = (&mut self.w[kind], &mut self.b[kind]);
            w.assign(&params.get(block.W_QKV[kind]).index_axis(Axis(0), at));
            b.assign(&params.get(block.b_QKV[kind]).index_axis(Axis(0), at));
            if let Some(ln1) = block.ln1 {
                *b += &params.get(ln1.b).dot(w);
                *w *= &params.get(ln1.w).insert_axis(Axis(1));
            }
        }
        let scale = model.config().attn_scale() as f32;
        self.w[Q] *= scale;
        self.b[Q] *= scale;
    }

    fn project(&mut self, x: &Array2<f32>) {
        let features = x.nrows();
        for (projected, w) in self.projected.iter_mut().zip(&self.w) {
            matmul::set(projected.slice_mut(s![..features, ..]), x.view(), w.view());
        }
        self.projected[Q].row_mut(features).assign(&self.b[Q]);
    }

    fn fill_qk(&self, qk: &mut [f32], shape: Shape) {
        let (of_tokens, of_positions) = self.projected[K].view().split_at(Axis(0), shape.tokens);
        let [to_tokens, to_positions] = qk_parts(qk, shape);
        matmul::set(to_tokens, self.projected[Q].view(), of_tokens.t());
        matmul::set(to_positions, self.projected[Q].view(), of_positions.t());
    }

    fn fill_written(&mut self, model: &Model, at: usize, shape: Shape) {
        let w_o = model.params.get(block(model).W_O);
        matmul::set(self.written.view_mut(), self.projected[V].view(), w_o.index_axis(Axis(0), at));
        if shape.norms {
            centre(self.written.view_mut());
        }
    }
}

/// r(p, t) = 1/√(|x\[p\] + x\[t\]|² / d_model + eps).
#[simd]
fn fill_scale<S: Simd>(simd: S, tables: &mut Tables, x: &Array2<f32>) {
    let Shape { tokens, eps, d_model, .. } = tables.shape;
    let x = x.as_slice().expect("rows of this table alone");
    let (of_tokens, of_positions) = x.split_at(tokens * d_model);
    let rows = tables.scale.chunks_exact_mut(tokens).zip(of_positions.chunks_exact(d_model));
    for (row, position) in rows {
        for (scale, token) in row.iter_mut().zip(of_tokens.chunks_exact(d_model)) {
            *scale = (square_of_sum(simd, token, position) / d_model as f32 + eps).sqrt().recip();
        }
    }
}

/// The features' rows: residual vectors, and what these do to the logits.
fn fill_rows(rows: &mut [f32], vectors: &Array2<f32>, w_u: &Array2<f32>, shape: Shape) {
    let (resid, logits) = row_parts(rows, shape);
    if let Some(mut resid) = resid {
        resid.assign(vectors);
    }
    matmul::set(logits, vectors.view(), w_u.view());
}

/// The only block.
pub fn block(model: &Model) -> &BlockLayout {
    &model.params.layout().blocks[0]
}

/// Takes from every row its mean: layer norm's centring, which is also its own way back.
pub fn centre(mut rows: ArrayViewMut2<f32>) {
    for mut row in rows.rows_mut() {
        let mean = row.sum() / row.len() as f32;
        row -= mean;
    }
}
