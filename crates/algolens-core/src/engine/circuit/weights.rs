//! From a model's weights to its circuits.

use super::{
    shape::Shape,
    tables::{HeadTables, Tables, qk_parts, row_parts},
};
use crate::dispatch;
use crate::{
    engine::{K, Q, V, level::Vectors, matmul, vector::square_of_sum},
    model::{BlockLayout, Model, Normalization},
    parallel,
};
use fearless_simd::Simd;
use fearless_simd_macros::simd;
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Axis, s};

/// The circuits of a model, and what they are made from: the way back needs it again.
pub struct Circuits {
    pub tables: Tables,
    /// Embeddings X, centred where the norm before attention does so, `[feature, d_model]`.
    pub x: Array2<f32>,
    /// X times the norm's weight, and in a last row the norm's bias, `[feature (or bias), d_model]`.
    pub normed: Array2<f32>,
    pub heads: Vec<Head>,
    /// A query's own residual vector, `[feature, d_model]`; see [`Tables::direct`].
    pub direct: Array2<f32>,
    /// The final norm's weight folded into W_U, `[d_model, classes]`.
    pub w_u: Array2<f32>,
}

/// What one head's circuits are made from; or gradients by it.
pub struct Head {
    /// Queries (which have 1/√d_head in them), keys and values of the features; the last row is what the norm's bias and the
    /// head's own add, `[feature (or bias), d_head]`.
    pub projected: [Array2<f32>; 3],
    /// What the values write to the residual stream, centred where the final norm does so, `[feature (or bias), d_model]`.
    pub written: Array2<f32>,
}

impl Head {
    pub fn new(shape: Shape) -> Self {
        let rows = shape.features() + 1;
        Self {
            projected: [0; 3].map(|_| Array2::zeros((rows, shape.d_head))),
            written: Array2::zeros((rows, shape.d_model)),
        }
    }
}

impl Circuits {
    pub fn new(shape: Shape) -> Self {
        let rows = |count| Array2::zeros((count, shape.d_model));
        Self {
            tables: Tables::new(shape),
            x: rows(shape.features()),
            normed: rows(shape.features() + 1),
            heads: (0..shape.heads).map(|_| Head::new(shape)).collect(),
            direct: rows(shape.features()),
            w_u: Array2::zeros((shape.d_model, shape.classes)),
        }
    }

    /// Computes everything from a model's weights, its heads and the norm's scale in parallel.
    pub fn fill(&mut self, vectors: Vectors, model: &Model) {
        self.fill_x(model);
        self.fill_unembedding(model);
        let Self { tables, x, normed, w_u, .. } = self;
        let Tables { shape, scale, heads, .. } = tables;
        let heads = self.heads.iter_mut().zip(heads).enumerate().collect();
        let fill_heads = || {
            parallel::for_each(heads, |(at, (head, tables)): (usize, (&mut Head, &mut HeadTables))| {
                head.project(normed, model, at);
                head.fill_qk(&mut tables.qk, *shape);
                head.fill_written(model, at, *shape);
                fill_rows(&mut tables.ov, head.written.slice(s![..shape.features(), ..]), w_u, *shape);
            });
        };
        parallel::join(fill_heads, || {
            if shape.norm != Normalization::None {
                dispatch!(vectors, simd => fill_scale(simd, scale, x, *shape));
            }
        });
        self.fill_direct(model);
    }

    fn fill_x(&mut self, model: &Model) {
        let Shape { tokens, positions, norm, .. } = self.tables.shape;
        let params = &model.params;
        fill_embeddings(self.x.view_mut(), model, self.tables.shape);
        if norm.centers() {
            centre(self.x.view_mut());
        }
        let (mut normed, mut bias) = self.normed.view_mut().split_at(Axis(0), tokens + positions);
        normed.assign(&self.x);
        if let Some(ln1) = block(model).ln1 {
            normed *= &params.get(ln1.w);
            bias.row_mut(0).assign(&params.get_or_zeros(ln1.b, [self.x.ncols()]));
        }
    }

    /// The final norm's weight goes into W_U, its bias into b_U.
    fn fill_unembedding(&mut self, model: &Model) {
        let (params, layout) = (&model.params, model.params.layout());
        self.w_u.assign(&params.unembedding());
        let bias = &mut self.tables.bias;
        // What no class has: its probability is zero.
        bias.fill(f32::NEG_INFINITY);
        let b_u = params.get_or_zeros(layout.b_U, [self.w_u.ncols()]);
        bias.iter_mut().zip(&b_u).for_each(|(bias, b_u)| *bias = *b_u);
        if let Some(ln_final) = layout.ln_final {
            if let Some(b) = ln_final.b {
                let from_norm = params.get(b).dot(&self.w_u);
                bias.iter_mut().zip(&from_norm).for_each(|(bias, b)| *bias += b);
            }
            self.w_u *= &params.get(ln_final.w).insert_axis(Axis(1));
        }
    }

    fn fill_direct(&mut self, model: &Model) {
        let shape = self.tables.shape;
        let mut constant: Array1<f32> = model.params.get_or_zeros(block(model).b_O, [shape.d_model]).into_owned();
        if shape.final_norm.centers() {
            centre(constant.view_mut().insert_axis(Axis(0)));
        }
        for head in &self.heads {
            constant += &head.written.row(shape.features());
        }
        if shape.norm.centers() == shape.final_norm.centers() {
            self.direct.assign(&self.x);
        } else {
            fill_embeddings(self.direct.view_mut(), model, shape);
            if shape.final_norm.centers() {
                centre(self.direct.view_mut());
            }
        }
        let mut position_rows = self.direct.slice_mut(s![shape.tokens.., ..]);
        position_rows += &constant;
        fill_rows(&mut self.tables.direct, self.direct.view(), &self.w_u, shape);
    }
}

impl Head {
    fn project(&mut self, normed: &Array2<f32>, model: &Model, at: usize) {
        let (params, block) = (&model.params, block(model));
        for kind in [Q, K, V] {
            let w = params.get(block.W_QKV[kind]);
            let projected = &mut self.projected[kind];
            let of = head_of(model, kind, at);
            matmul::set(projected.view_mut(), normed.view(), w.index_axis(Axis(0), of));
            if let Some(biases) = block.b_QKV {
                let mut bias = projected.row_mut(normed.nrows() - 1);
                bias += &params.get(biases[kind]).index_axis(Axis(0), of);
            }
        }
        self.projected[Q] *= model.config().attn_scale(0) as f32;
    }

    fn fill_qk(&self, qk: &mut [f32], shape: Shape) {
        let [token_keys, position_keys] = features(&self.projected[K], shape);
        let [to_tokens, to_positions] = qk_parts(qk, shape);
        matmul::set(to_tokens, self.projected[Q].view(), token_keys.t());
        matmul::set(to_positions, self.projected[Q].view(), position_keys.t());
    }

    fn fill_written(&mut self, model: &Model, at: usize, shape: Shape) {
        let w_o = model.params.get(block(model).W_O);
        matmul::set(self.written.view_mut(), self.projected[V].view(), w_o.index_axis(Axis(0), at));
        if shape.final_norm.centers() {
            centre(self.written.view_mut());
        }
    }
}

/// The rows of tokens and of positions.
pub fn features(rows: &Array2<f32>, shape: Shape) -> [ArrayView2<'_, f32>; 2] {
    [rows.slice(s![..shape.tokens, ..]), rows.slice(s![shape.tokens..shape.features(), ..])]
}

/// r(p, t) = 1/√(|x\[p\] + x\[t\]|² / d_model + eps).
#[simd]
fn fill_scale<S: Simd>(simd: S, scale: &mut [f32], x: &Array2<f32>, shape: Shape) {
    let Shape { tokens, eps, d_model, .. } = shape;
    let x = x.as_slice().expect("rows of this table alone");
    let (token_rows, position_rows) = x.split_at(tokens * d_model);
    let rows = scale.chunks_exact_mut(tokens).zip(position_rows.chunks_exact(d_model));
    for (row, position) in rows {
        for (scale, token) in row.iter_mut().zip(token_rows.chunks_exact(d_model)) {
            *scale = (square_of_sum(simd, token, position) / d_model as f32 + eps).sqrt().recip();
        }
    }
}

/// The features' rows: residual vectors, and what these do to the logits.
fn fill_rows(rows: &mut [f32], vectors: ArrayView2<f32>, w_u: &Array2<f32>, shape: Shape) {
    let (resid, logits) = row_parts(rows, shape);
    if let Some(mut resid) = resid {
        resid.assign(&vectors);
    }
    matmul::set(logits, vectors, w_u.view());
}

/// The embeddings of tokens, then of positions: zeros where these are nowhere.
fn fill_embeddings(rows: ArrayViewMut2<f32>, model: &Model, shape: Shape) {
    let (params, layout) = (&model.params, model.params.layout());
    let (mut token_rows, mut position_rows) = rows.split_at(Axis(0), shape.tokens);
    token_rows.assign(&params.get(layout.W_E));
    match layout.W_pos {
        Some(w_pos) => position_rows.assign(&params.get(w_pos).slice(s![..shape.positions, ..])),
        None => position_rows.fill(0.0),
    }
}

/// The head whose weights make the queries, keys or values of a head.
pub fn head_of(model: &Model, kind: usize, head: usize) -> usize {
    if kind == Q { head } else { model.config().key_value_head(head) }
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
