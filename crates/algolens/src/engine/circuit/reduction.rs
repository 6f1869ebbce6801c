//! From the gradients of the tables to those of the weights: the way back through `weights.rs`.

use super::{
    shape::Shape,
    tables::{HeadTables, Tables, qk_parts, row_parts},
    weights::{Circuits, Head, block, centre},
};
use crate::{
    engine::{K, Q, V, matmul, parallel},
    model::{Model, Params},
};
use ndarray::{Array1, Array2, ArrayView1, ArrayViewMut2, Axis, Zip, s};

/// The gradients of what [`Circuits`] holds; memory that every step uses again.
pub struct Reduction {
    x: Array2<f32>,
    heads: Vec<HeadReduction>,
    direct: Array2<f32>,
    w_u: Array2<f32>,
}

/// One head's share in the gradients.
struct HeadReduction {
    /// Of what its circuits are made from; `w` and `b` in the end those of the model's own weights.
    head: Head,
    /// `[d_head, d_model]`.
    w_o: Array2<f32>,
    /// Of X, `[feature, d_model]`.
    x: Array2<f32>,
    /// Of the folded W_U.
    w_u: Array2<f32>,
    /// Of the norm's weight and bias, `[d_model]`.
    ln1: [Array1<f32>; 2],
}

impl Reduction {
    pub fn new(shape: Shape) -> Self {
        let Shape { d_model, d_head, classes, .. } = shape;
        let of_features = || Array2::zeros((shape.features(), d_model));
        let head = || HeadReduction {
            head: Head::new(shape),
            w_o: Array2::zeros((d_head, d_model)),
            x: of_features(),
            w_u: Array2::zeros((d_model, classes)),
            ln1: [0; 2].map(|_| Array1::zeros(d_model)),
        };
        Self {
            x: of_features(),
            heads: (0..shape.heads).map(|_| head()).collect(),
            direct: of_features(),
            w_u: Array2::zeros((d_model, classes)),
        }
    }

    /// Replaces `gradients` by those of the weights, given those of the tables (which it uses up); heads in parallel.
    pub fn weights(&mut self, circuits: &Circuits, model: &Model, d: &mut Tables, gradients: &mut Params<f32>) {
        let shape = circuits.tables.shape;
        gradients.values_mut().fill(0.0);
        rows_backward(&mut d.direct, &circuits.direct, circuits, [&mut self.direct, &mut self.w_u]);
        // What every query gets: b_O, and the value biases through W_O.
        let constant = self.direct.slice(s![shape.tokens.., ..]).sum_axis(Axis(0));
        gradients.get_mut(block(model).b_O).assign(&constant);
        let heads = self.heads.iter_mut().zip(&mut d.heads).enumerate().collect();
        parallel::for_each(heads, |(at, (head, tables)): (usize, (&mut HeadReduction, &mut HeadTables))| {
            head.reduce(circuits, model, at, tables, constant.view());
        });
        self.collect(model, gradients);
        self.scale(circuits, d);
        self.embeddings(shape, gradients);
        self.unembed(d, model, gradients);
    }

    /// What the heads have computed, in their order.
    fn collect(&mut self, model: &Model, gradients: &mut Params<f32>) {
        let block = block(model);
        self.x.assign(&self.direct);
        for (at, HeadReduction { head, w_o, x, w_u, ln1 }) in self.heads.iter().enumerate() {
            self.x += x;
            self.w_u += w_u;
            gradients.get_mut(block.W_O).index_axis_mut(Axis(0), at).assign(w_o);
            for kind in [Q, K, V] {
                gradients.get_mut(block.W_QKV[kind]).index_axis_mut(Axis(0), at).assign(&head.w[kind]);
                gradients.get_mut(block.b_QKV[kind]).index_axis_mut(Axis(0), at).assign(&head.b[kind]);
            }
            if let Some(layout) = block.ln1 {
                for (slot, d) in [layout.w, layout.b].into_iter().zip(ln1) {
                    let mut sum = gradients.get_mut(slot);
                    sum += d;
                }
            }
        }
    }

    /// From the norm's scale: d x\[t\] and d x\[p\] get −r³/d_model · d r · (x\[t\] + x\[p\]).
    fn scale(&mut self, circuits: &Circuits, d: &mut Tables) {
        let Shape { tokens, positions, norms, d_model, .. } = circuits.tables.shape;
        if !norms {
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
        let Shape { tokens, positions, norms, .. } = shape;
        if norms {
            centre(self.x.view_mut());
        }
        let layout = gradients.layout().clone();
        gradients.get_mut(layout.W_E).assign(&self.x.slice(s![..tokens, ..]));
        gradients.get_mut(layout.W_pos).slice_mut(s![..positions, ..]).assign(&self.x.slice(s![tokens.., ..]));
    }

    fn unembed(&mut self, d: &Tables, model: &Model, gradients: &mut Params<f32>) {
        let (layout, params) = (model.params.layout(), &model.params);
        let d_b = ArrayView1::from(&d.bias[..d.shape.classes]);
        gradients.get_mut(layout.b_U).assign(&d_b);
        if let Some(ln_final) = layout.ln_final {
            let w_u = params.get(layout.W_U);
            gradients.get_mut(ln_final.b).assign(&w_u.dot(&d_b));
            let mut d_weight = gradients.get_mut(ln_final.w);
            Zip::from(&mut d_weight).and(self.w_u.rows()).and(w_u.rows()).for_each(|d, d_w, w| *d = d_w.dot(&w));
            self.w_u *= &params.get(ln_final.w).insert_axis(Axis(1));
            let rows = Zip::from(self.w_u.rows_mut()).and(params.get(ln_final.b));
            rows.for_each(|mut d, bias| d.scaled_add(*bias, &d_b));
        }
        gradients.get_mut(layout.W_U).assign(&self.w_u);
    }
}

impl HeadReduction {
    fn reduce(
        &mut self,
        circuits: &Circuits,
        model: &Model,
        at: usize,
        tables: &mut HeadTables,
        constant: ArrayView1<f32>,
    ) {
        let circuit = &circuits.heads[at];
        let Head { written, .. } = &mut self.head;
        rows_backward(&mut tables.ov, &circuit.written, circuits, [written, &mut self.w_u]);
        self.values(circuit, model, at, constant);
        self.scores(circuit, &mut tables.qk, circuits.tables.shape);
        self.projections(circuit, &circuits.x);
        self.unfold_norm(model, at);
    }

    /// From what is written to the values, their bias and W_O.
    fn values(&mut self, circuit: &Head, model: &Model, at: usize, constant: ArrayView1<f32>) {
        let w_o = model.params.get(block(model).W_O);
        let w_o = w_o.index_axis(Axis(0), at);
        matmul::set(self.w_o.view_mut(), circuit.projected[V].t(), self.head.written.view());
        let b_v = circuit.b[V].view().insert_axis(Axis(1));
        matmul::add(self.w_o.view_mut(), b_v, constant.insert_axis(Axis(0)));
        matmul::set(self.head.projected[V].view_mut(), self.head.written.view(), w_o.t());
        self.head.b[V].assign(&w_o.dot(&constant));
    }

    /// From the QK circuit to queries and keys.
    fn scores(&mut self, circuit: &Head, qk: &mut [f32], shape: Shape) {
        let [to_tokens, to_positions] = qk_parts(qk, shape);
        let (of_tokens, of_positions) = circuit.projected[K].view().split_at(Axis(0), shape.tokens);
        let [d_queries, d_keys, _] = &mut self.head.projected;
        matmul::set(d_queries.view_mut(), to_tokens.view(), of_tokens);
        matmul::add(d_queries.view_mut(), to_positions.view(), of_positions);
        self.head.b[Q].assign(&d_queries.row(shape.features()));
        let (d_of_tokens, d_of_positions) = d_keys.view_mut().split_at(Axis(0), shape.tokens);
        matmul::set(d_of_tokens, to_tokens.t(), circuit.projected[Q].view());
        matmul::set(d_of_positions, to_positions.t(), circuit.projected[Q].view());
        // A key's bias adds the same to all scores of a query.
        self.head.b[K].fill(0.0);
    }

    /// From queries, keys and values to X and their folded weights.
    fn projections(&mut self, circuit: &Head, x: &Array2<f32>) {
        self.x.fill(0.0);
        for kind in [Q, K, V] {
            let d = self.head.projected[kind].slice(s![..x.nrows(), ..]);
            matmul::add(self.x.view_mut(), d, circuit.w[kind].t());
            matmul::set(self.head.w[kind].view_mut(), x.t(), d);
        }
    }

    /// From the folded weights to the model's and the norm's.
    fn unfold_norm(&mut self, model: &Model, at: usize) {
        let (params, block) = (&model.params, block(model));
        let scale = model.config().attn_scale() as f32;
        self.head.w[Q] *= scale;
        self.head.b[Q] *= scale;
        let Some(ln1) = block.ln1 else { return };
        let [d_weight, d_bias] = &mut self.ln1;
        d_weight.fill(0.0);
        d_bias.fill(0.0);
        for kind in [Q, K, V] {
            let (d_w, d_b) = (&mut self.head.w[kind], &self.head.b[kind]);
            let w = params.get(block.W_QKV[kind]);
            let w = w.index_axis(Axis(0), at);
            *d_bias += &w.dot(d_b);
            Zip::from(&mut *d_weight).and(d_w.rows()).and(w.rows()).for_each(|d, d_w, w| *d += d_w.dot(&w));
            *d_w *= &params.get(ln1.w).insert_axis(Axis(1));
            let rows = Zip::from(d_w.rows_mut()).and(params.get(ln1.b));
            rows.for_each(|mut d_w, bias| d_w.scaled_add(*bias, d_b));
        }
    }
}

/// From the features' rows to their vectors, and to the folded W_U.
fn rows_backward(
    d_rows: &mut [f32],
    vectors: &Array2<f32>,
    circuits: &Circuits,
    [d_vectors, d_w_u]: [&mut Array2<f32>; 2],
) {
    let (resid, logits) = row_parts(d_rows, circuits.tables.shape);
    matmul::set(d_vectors.view_mut(), logits.view(), circuits.w_u.t());
    matmul::set(d_w_u.view_mut(), vectors.t(), logits.view());
    if let Some(resid) = resid {
        *d_vectors += &resid;
        centre(d_vectors.view_mut());
    }
}
