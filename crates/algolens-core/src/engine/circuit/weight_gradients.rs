//! From the gradients of the tables to those of the weights: the way back through `weights.rs`.

use super::{
    shape::Shape,
    tables::{HeadTables, Tables, qk_parts, row_parts},
    weights::{Circuits, Head, block, centre, features, head_of},
};
use crate::{
    engine::{K, Q, V, matmul},
    model::{Model, Normalization, Params},
    parallel,
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Zip, s};

/// The gradients of what [`Circuits`] holds; memory that every step uses again.
pub struct WeightGradients {
    x: Array2<f32>,
    heads: Vec<HeadWeightGradients>,
    direct: Array2<f32>,
    w_u: Array2<f32>,
}

/// One head's share in the gradients.
struct HeadWeightGradients {
    /// Of what its circuits are made from.
    head: Head,
    /// Of W_Q, W_K and W_V, `[d_model, d_head]`.
    w: [Array2<f32>; 3],
    /// `[d_head, d_model]`.
    w_o: Array2<f32>,
    /// Of [`Circuits::normed`].
    normed: Array2<f32>,
    /// Of the folded W_U.
    w_u: Array2<f32>,
}

impl WeightGradients {
    pub fn new(shape: Shape) -> Self {
        let Shape { d_model, d_head, classes, .. } = shape;
        let rows = |count| Array2::zeros((count, d_model));
        let head = || HeadWeightGradients {
            head: Head::new(shape),
            w: [0; 3].map(|_| Array2::zeros((d_model, d_head))),
            w_o: rows(d_head),
            normed: rows(shape.features() + 1),
            w_u: Array2::zeros((d_model, classes)),
        };
        Self {
            x: rows(shape.features()),
            heads: (0..shape.heads).map(|_| head()).collect(),
            direct: rows(shape.features()),
            w_u: Array2::zeros((d_model, classes)),
        }
    }

    /// Replaces `gradients` by those of the weights, given those of the tables (which it uses up); heads and the
    /// direct path in parallel.
    pub fn weights(&mut self, circuits: &Circuits, model: &Model, d: &mut Tables, gradients: &mut Params<f32>) {
        let shape = circuits.tables.shape;
        gradients.values_mut().fill(0.0);
        let constant = constant(&mut d.direct, circuits);
        if let Some(b_o) = block(model).b_O {
            gradients.get_mut(b_o).assign(&constant);
        }
        let Self { direct, heads, w_u, .. } = self;
        let heads = heads.iter_mut().zip(&mut d.heads).enumerate().collect();
        parallel::join(
            || rows_backward(&mut d.direct, circuits.direct.view(), circuits, [direct.view_mut(), w_u.view_mut()]),
            || {
                parallel::for_each(
                    heads,
                    |(at, (head, tables)): (usize, (&mut HeadWeightGradients, &mut HeadTables))| {
                        head.reduce(circuits, model, at, tables, constant.view());
                    },
                );
            },
        );
        self.collect(circuits, model, gradients);
        self.scale(circuits, d);
        self.embeddings(shape, gradients);
        self.unembed(d, model, gradients);
    }

    /// What the heads have computed, in their order.
    fn collect(&mut self, circuits: &Circuits, model: &Model, gradients: &mut Params<f32>) {
        let block = block(model);
        let mut bias = Array1::<f32>::zeros(self.x.ncols());
        self.x.fill(0.0);
        for (at, HeadWeightGradients { head, w, w_o, normed, w_u }) in self.heads.iter().enumerate() {
            let (normed, bias_row) = normed.view().split_at(Axis(0), self.x.nrows());
            self.x += &normed;
            bias += &bias_row.row(0);
            self.w_u += w_u;
            gradients.get_mut(block.W_O).index_axis_mut(Axis(0), at).assign(w_o);
            for kind in [Q, K, V] {
                let projected = &head.projected[kind];
                let of = head_of(model, kind, at);
                let mut sum = gradients.get_mut(block.W_QKV[kind]);
                let mut sum = sum.index_axis_mut(Axis(0), of);
                sum += &w[kind];
                if let Some(biases) = block.b_QKV {
                    let mut sum = gradients.get_mut(biases[kind]);
                    let mut sum = sum.row_mut(of);
                    sum += &projected.row(projected.nrows() - 1);
                }
            }
        }
        if let Some(ln1) = block.ln1 {
            if let Some(b) = ln1.b {
                gradients.get_mut(b).assign(&bias);
            }
            let mut weight = gradients.get_mut(ln1.w);
            for (d, x) in self.x.rows().into_iter().zip(circuits.x.rows()) {
                Zip::from(&mut weight).and(d).and(x).for_each(|weight, d, x| *weight += d * x);
            }
            self.x *= &model.params.get(ln1.w);
        }
    }

    /// From the norm's scale: d x\[t\] and d x\[p\] get −r³/d_model · d r · (x\[t\] + x\[p\]).
    fn scale(&mut self, circuits: &Circuits, d: &mut Tables) {
        let Shape { tokens, positions, norm, d_model, .. } = circuits.tables.shape;
        if norm == Normalization::None {
            return;
        }
        for (d, r) in d.scale.iter_mut().zip(circuits.tables.scale.iter()) {
            *d *= -r * r * r / d_model as f32;
        }
        let along = ArrayViewMut2::from_shape((positions, tokens), &mut d.scale).expect("a number a pair");
        let (x_tokens, x_positions) = circuits.x.view().split_at(Axis(0), tokens);
        let (mut d_tokens, mut d_positions) = self.x.view_mut().split_at(Axis(0), tokens);
        matmul::add(d_tokens.view_mut(), along.t(), x_positions);
        matmul::add(d_positions.view_mut(), along.view(), x_tokens);
        for (mut rows, x, sums) in
            [(d_tokens, x_tokens, along.sum_axis(Axis(0))), (d_positions, x_positions, along.sum_axis(Axis(1)))]
        {
            Zip::from(rows.rows_mut()).and(x.rows()).and(&sums).for_each(|mut d, x, sum| d.scaled_add(*sum, &x));
        }
    }

    fn embeddings(&mut self, shape: Shape, gradients: &mut Params<f32>) {
        let Shape { tokens, positions, norm, .. } = shape;
        if norm.centers() {
            centre(self.x.view_mut());
        }
        self.x += &self.direct;
        let layout = gradients.layout().clone();
        gradients.get_mut(layout.W_E).assign(&self.x.slice(s![..tokens, ..]));
        if let Some(w_pos) = layout.W_pos {
            gradients.get_mut(w_pos).slice_mut(s![..positions, ..]).assign(&self.x.slice(s![tokens.., ..]));
        }
    }

    fn unembed(&mut self, d: &Tables, model: &Model, gradients: &mut Params<f32>) {
        let (layout, params) = (model.params.layout(), &model.params);
        let d_b = ArrayView1::from(&d.bias[..d.shape.classes]);
        if let Some(b_u) = layout.b_U {
            gradients.get_mut(b_u).assign(&d_b);
        }
        if let Some(ln_final) = layout.ln_final {
            let w_u = params.unembedding();
            if let Some(b) = ln_final.b {
                gradients.get_mut(b).assign(&w_u.dot(&d_b));
            }
            let mut d_weight = gradients.get_mut(ln_final.w);
            Zip::from(&mut d_weight).and(self.w_u.rows()).and(w_u.rows()).for_each(|d, d_w, w| *d = d_w.dot(&w));
            self.w_u *= &params.get(ln_final.w).insert_axis(Axis(1));
            if let Some(b) = ln_final.b {
                let rows = Zip::from(self.w_u.rows_mut()).and(params.get(b));
                rows.for_each(|mut d, bias| d.scaled_add(*bias, &d_b));
            }
        }
        // Tied embeddings have gradients already.
        let mut d_unembedding = gradients.unembedding_mut();
        d_unembedding += &self.w_u;
    }
}

impl HeadWeightGradients {
    fn reduce(
        &mut self,
        circuits: &Circuits,
        model: &Model,
        at: usize,
        tables: &mut HeadTables,
        constant: ArrayView1<f32>,
    ) {
        let circuit = &circuits.heads[at];
        let features = s![..circuits.x.nrows(), ..];
        let written = [self.head.written.slice_mut(features), self.w_u.view_mut()];
        rows_backward(&mut tables.ov, circuit.written.slice(features), circuits, written);
        self.head.written.row_mut(circuits.x.nrows()).assign(&constant);
        self.values(circuit, model, at);
        self.scores(circuit, &mut tables.qk, circuits.tables.shape);
        self.head.projected[Q] *= model.config().attn_scale(0) as f32;
        self.projections(&circuits.normed, model, at);
    }

    /// From what is written to the values and W_O.
    fn values(&mut self, circuit: &Head, model: &Model, at: usize) {
        let w_o = model.params.get(block(model).W_O);
        matmul::set(self.w_o.view_mut(), circuit.projected[V].t(), self.head.written.view());
        matmul::set(self.head.projected[V].view_mut(), self.head.written.view(), w_o.index_axis(Axis(0), at).t());
    }

    /// From the QK circuit to queries and keys.
    fn scores(&mut self, circuit: &Head, qk: &mut [f32], shape: Shape) {
        let [to_tokens, to_positions] = qk_parts(qk, shape);
        let [token_keys, position_keys] = features(&circuit.projected[K], shape);
        let [d_queries, d_keys, _] = &mut self.head.projected;
        matmul::set(d_queries.view_mut(), to_tokens.view(), token_keys);
        matmul::add(d_queries.view_mut(), to_positions.view(), position_keys);
        // The last row stays zero: a key's bias adds the same to all scores of a query.
        let (d_of_tokens, d_rest) = d_keys.view_mut().split_at(Axis(0), shape.tokens);
        matmul::set(d_of_tokens, to_tokens.t(), circuit.projected[Q].view());
        let d_of_positions = d_rest.slice_move(s![..shape.positions, ..]);
        matmul::set(d_of_positions, to_positions.t(), circuit.projected[Q].view());
    }

    /// From queries, keys and values to what they are made from.
    fn projections(&mut self, normed: &Array2<f32>, model: &Model, at: usize) {
        self.normed.fill(0.0);
        for kind in [Q, K, V] {
            let d = &self.head.projected[kind];
            let w = model.params.get(block(model).W_QKV[kind]);
            matmul::add(self.normed.view_mut(), d.view(), w.index_axis(Axis(0), head_of(model, kind, at)).t());
            matmul::set(self.w[kind].view_mut(), normed.t(), d.view());
        }
    }
}

/// The gradient of what every query gets (b_O, and the value biases through W_O): that of all positions' direct rows together.
fn constant(d_direct: &mut [f32], circuits: &Circuits) -> Array1<f32> {
    let shape = circuits.tables.shape;
    let (resid, logits) = row_parts(d_direct, shape);
    let of_positions = s![shape.tokens.., ..];
    let mut constant = circuits.w_u.dot(&logits.slice(of_positions).sum_axis(Axis(0)));
    if let Some(resid) = resid {
        constant += &resid.slice(of_positions).sum_axis(Axis(0));
    }
    if shape.final_norm.centers() {
        centre(constant.view_mut().insert_axis(Axis(0)));
    }
    constant
}

/// From the features' rows to their vectors, and to the folded W_U.
fn rows_backward(
    d_rows: &mut [f32],
    vectors: ArrayView2<f32>,
    circuits: &Circuits,
    [mut d_vectors, d_w_u]: [ArrayViewMut2<f32>; 2],
) {
    let (resid, logits) = row_parts(d_rows, circuits.tables.shape);
    matmul::set(d_vectors.view_mut(), logits.view(), circuits.w_u.t());
    matmul::set(d_w_u, vectors.t(), logits.view());
    if let Some(resid) = resid {
        d_vectors += &resid;
    }
    if circuits.tables.shape.final_norm.centers() {
        centre(d_vectors);
    }
}
