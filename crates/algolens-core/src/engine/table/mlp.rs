//! The MLP of a block.

use super::{
    activation::{act_fn, solu, solu_backward},
    gradients::Gradients,
    matrix::{Matrix, add_rows, multiply},
    norm::Norm,
    pass::Pass,
};
use crate::{
    engine::{
        matmul,
        vector::{get, lanes_mut},
    },
    model::{ActFn, Config, Mlp, MlpLayout},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// What an MLP leaves for the way back.
pub struct MlpRows {
    ln2: Option<Norm>,
    /// The derivative of the activation function; where it acts on whole rows, what it is of, `[row, d_mlp]`.
    slope: Matrix,
    /// Its softmax, where it acts on whole rows, `[row, d_mlp]`.
    softmax: Option<Matrix>,
    /// What the activation function gives, `[row, d_mlp]`.
    act: Matrix,
    gated: Option<Gated>,
    /// The norm over `act`.
    ln: Option<Norm>,
    /// The residual stream behind the MLP, `[row, d_model]`.
    pub out: Matrix,
}

/// What the other half of a gated MLP leaves.
struct Gated {
    /// What `act` is multiplied with, `[row, d_mlp]`.
    linear: Matrix,
    /// `[row, d_mlp]`.
    post: Matrix,
}

/// The memory of the way back through an MLP.
pub struct MlpScratch {
    /// Of the hidden layer, `[row, d_mlp]`.
    hidden: Matrix,
    /// Of what a gated MLP multiplies it with, `[row, d_mlp]`.
    linear: Matrix,
    /// Of the normalised inputs, `[row, d_model]`.
    read: Matrix,
}

impl MlpScratch {
    pub fn new(config: &Config, mlp: Mlp, rows: usize) -> Self {
        let hidden = |rows: usize| Matrix::new(rows, mlp.d_mlp);
        Self {
            hidden: hidden(rows),
            linear: hidden(if mlp.gated { rows } else { 0 }),
            read: Matrix::new(rows, config.d_model),
        }
    }
}

impl MlpRows {
    pub fn new(config: &Config, mlp: Mlp, rows: usize) -> Self {
        let hidden = || Matrix::new(rows, mlp.d_mlp);
        Self {
            ln2: Norm::of(config.normalization_type, rows, config.d_model),
            slope: hidden(),
            softmax: mlp.act_fn.by_row().then(hidden),
            act: hidden(),
            gated: mlp.gated.then(|| Gated { linear: hidden(), post: hidden() }),
            ln: Norm::of(config.mlp_normalization(), rows, mlp.d_mlp),
            out: Matrix::new(rows, config.d_model),
        }
    }

    /// `out` = `resid` + the MLP's output, of the first `rows` rows.
    pub fn forward<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, resid: &Matrix, rows: usize) {
        let (params, layout) = (&pass.model.params, layout(pass, layer));
        if let Some(ln2) = &mut self.ln2 {
            ln2.forward(simd, resid, rows, pass.packed.blocks[layer].ln2.as_ref(), pass.eps());
        }
        let read = self.ln2.as_ref().map_or(resid, Norm::out);
        let mut pre = self.slope.view_mut(rows);
        matmul::set(pre.view_mut(), read.view(rows), params.get(layout.W_gate.unwrap_or(layout.W_in)));
        if let (Some(b_in), None) = (layout.b_in, &self.gated) {
            pre += &params.get(b_in);
        }
        match &mut self.softmax {
            None => activate(simd, pass.mlp().act_fn, self.slope.first_mut(rows), self.act.first_mut(rows)),
            Some(softmax) => {
                let width = self.slope.width;
                let into = softmax.rows_mut().zip(self.act.rows_mut());
                for (x, (p, y)) in self.slope.rows().zip(into).take(rows) {
                    solu(simd, x, width, p, y);
                }
            }
        }
        if let Some(Gated { linear, post }) = &mut self.gated {
            matmul::set(linear.view_mut(rows), read.view(rows), params.get(layout.W_in));
            post.first_mut(rows).copy_from_slice(self.act.first(rows));
            multiply(simd, post.first_mut(rows), linear.first(rows));
            if let Some(b_in) = layout.b_in {
                let mut post = post.view_mut(rows);
                post += &params.get(b_in);
            }
        }
        if let Some(ln) = &mut self.ln {
            ln.forward(simd, &self.act, rows, pass.packed.blocks[layer].mlp_ln.as_ref(), pass.eps());
        }
        self.out.first_mut(rows).copy_from_slice(resid.first(rows));
        let mut out = self.out.view_mut(rows);
        if let Some(b_out) = layout.b_out {
            out += &params.get(b_out);
        }
        matmul::add(out, post(&self.act, &self.gated, &self.ln).view(rows), params.get(layout.W_out));
    }

    /// Turns the gradient of `out` into that of `resid`, in place.
    #[expect(clippy::too_many_arguments, reason = "what went forward, its gradient and a scratch")]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        pass: Pass,
        layer: usize,
        resid: &Matrix,
        d: &mut Matrix,
        MlpScratch { hidden: d_hidden, linear: d_linear, read: d_read }: &mut MlpScratch,
        rows: usize,
        gradients: &mut Gradients,
    ) {
        let (params, layout) = (&pass.model.params, layout(pass, layer));
        let read = self.ln2.as_ref().map_or(resid, Norm::out).view(rows);
        let post = post(&self.act, &self.gated, &self.ln);
        matmul::add(gradients.params.get_mut(layout.W_out), post.view(rows).t(), d.view(rows));
        gradients.add_bias(layout.b_out, d.view(rows));
        matmul::set(d_hidden.view_mut(rows), d.view(rows), params.get(layout.W_out).t());
        if let Some(ln) = &self.ln {
            let d_ln = gradients.packed.blocks[layer].mlp_ln.as_mut();
            ln.backward(simd, d_hidden, rows, pass.packed.blocks[layer].mlp_ln.as_ref(), d_ln);
        }
        if let Some(Gated { linear, .. }) = &self.gated {
            gradients.add_bias(layout.b_in, d_hidden.view(rows));
            d_linear.first_mut(rows).copy_from_slice(d_hidden.first(rows));
            multiply(simd, d_linear.first_mut(rows), self.act.first(rows));
            multiply(simd, d_hidden.first_mut(rows), linear.first(rows));
        }
        self.through_activation(simd, d_hidden, rows);
        let w = layout.W_gate.unwrap_or(layout.W_in);
        matmul::add(gradients.params.get_mut(w), read.t(), d_hidden.view(rows));
        matmul::set(d_read.view_mut(rows), d_hidden.view(rows), params.get(w).t());
        if self.gated.is_some() {
            matmul::add(gradients.params.get_mut(layout.W_in), read.t(), d_linear.view(rows));
            matmul::add(d_read.view_mut(rows), d_linear.view(rows), params.get(layout.W_in).t());
        } else {
            gradients.add_bias(layout.b_in, d_hidden.view(rows));
        }
        if let Some(ln2) = &self.ln2 {
            let d_ln2 = gradients.packed.blocks[layer].ln2.as_mut();
            ln2.backward(simd, d_read, rows, pass.packed.blocks[layer].ln2.as_ref(), d_ln2);
        }
        add_rows(simd, d, None, d_read, rows);
    }

    /// Turns the gradient of `act` into that of what the activation function is of, in place.
    fn through_activation<S: Simd>(&self, simd: S, d: &mut Matrix, rows: usize) {
        match &self.softmax {
            None => multiply(simd, d.first_mut(rows), self.slope.first(rows)),
            Some(softmax) => {
                let went = self.slope.rows().zip(softmax.rows());
                for (d, (x, p)) in d.rows_mut().zip(went).take(rows) {
                    solu_backward(simd, x, p, d);
                }
            }
        }
    }
}

fn layout<'a>(pass: Pass<'a>, layer: usize) -> &'a MlpLayout {
    pass.model.params.layout().blocks[layer].mlp.as_ref().expect("only models with an MLP run one")
}

/// What W_out is given, `[row, d_mlp]`.
fn post<'a>(act: &'a Matrix, gated: &'a Option<Gated>, ln: &'a Option<Norm>) -> &'a Matrix {
    match (gated, ln) {
        (Some(gated), _) => &gated.post,
        (None, Some(ln)) => ln.out(),
        (None, None) => act,
    }
}

/// post ← act_fn(pre), and pre ← its derivative there.
#[simd]
fn activate<S: Simd>(simd: S, function: ActFn, pre: &mut [f32], post: &mut [f32]) {
    for (pre, post) in lanes_mut::<S>(pre).zip(lanes_mut::<S>(post)) {
        let (value, slope) = act_fn(simd, function, get(simd, pre));
        value.store_slice(post);
        slope.store_slice(pre);
    }
}
