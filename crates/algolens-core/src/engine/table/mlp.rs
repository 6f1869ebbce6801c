//! The MLP of a block.

use super::{
    activation::act_fn,
    gradients::Gradients,
    matrix::{Matrix, add_rows},
    norm::Norm,
    pass::Pass,
};
use crate::{
    engine::{
        matmul,
        vector::{get, lanes, lanes_mut},
    },
    model::{ActFn, Config, Mlp, MlpLayout},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// What an MLP leaves for the way back.
pub struct MlpRows {
    ln2: Option<Norm>,
    /// The derivative of the activation function, `[row, d_mlp]`.
    slope: Matrix,
    /// `[row, d_mlp]`.
    post: Matrix,
    /// The residual stream behind the MLP, `[row, d_model]`.
    pub out: Matrix,
}

impl MlpRows {
    pub fn new(config: &Config, mlp: Mlp, rows: usize) -> Self {
        let hidden = || Matrix::new(rows, mlp.d_mlp);
        Self {
            ln2: Norm::of(config.normalization_type, rows, config.d_model),
            slope: hidden(),
            post: hidden(),
            out: Matrix::new(rows, config.d_model),
        }
    }

    pub fn forward<S: Simd>(&mut self, simd: S, pass: Pass, layer: usize, resid_mid: &Matrix, rows: usize) {
        let (params, layout) = (&pass.model.params, layout(pass, layer));
        if let Some(ln2) = &mut self.ln2 {
            ln2.forward(simd, resid_mid, rows, pass.packed.blocks[layer].ln2.as_ref(), pass.eps());
        }
        let read = self.ln2.as_ref().map_or(resid_mid, Norm::out);
        let mut pre = self.slope.view_mut(rows);
        matmul::set(pre.view_mut(), read.view(rows), params.get(layout.W_in));
        if let Some(b_in) = layout.b_in {
            pre += &params.get(b_in);
        }
        activate(simd, pass.mlp().act_fn, self.slope.first_mut(rows), self.post.first_mut(rows));
        self.out.first_mut(rows).copy_from_slice(resid_mid.first(rows));
        let mut out = self.out.view_mut(rows);
        if let Some(b_out) = layout.b_out {
            out += &params.get(b_out);
        }
        matmul::add(out, self.post.view(rows), params.get(layout.W_out));
    }

    /// Turns the gradient of `out` into that of `resid_mid`, in place.
    #[expect(clippy::too_many_arguments, reason = "what went forward, its gradient and two scratches")]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        pass: Pass,
        layer: usize,
        resid_mid: &Matrix,
        d: &mut Matrix,
        [d_hidden, d_read]: [&mut Matrix; 2],
        rows: usize,
        gradients: &mut Gradients,
    ) {
        let (params, layout) = (&pass.model.params, layout(pass, layer));
        let read = self.ln2.as_ref().map_or(resid_mid, Norm::out);
        matmul::add(gradients.params.get_mut(layout.W_out), self.post.view(rows).t(), d.view(rows));
        gradients.add_bias(layout.b_out, d.view(rows));
        matmul::set(d_hidden.view_mut(rows), d.view(rows), params.get(layout.W_out).t());
        multiply(simd, d_hidden.first_mut(rows), self.slope.first(rows));
        matmul::add(gradients.params.get_mut(layout.W_in), read.view(rows).t(), d_hidden.view(rows));
        gradients.add_bias(layout.b_in, d_hidden.view(rows));
        matmul::set(d_read.view_mut(rows), d_hidden.view(rows), params.get(layout.W_in).t());
        if let Some(ln2) = &self.ln2 {
            let d_ln2 = gradients.packed.blocks[layer].ln2.as_mut();
            ln2.backward(simd, d_read, rows, pass.packed.blocks[layer].ln2.as_ref(), d_ln2);
        }
        add_rows(simd, d, None, d_read, rows);
    }
}

fn layout<'a>(pass: Pass<'a>, layer: usize) -> &'a MlpLayout {
    pass.model.params.layout().blocks[layer].mlp.as_ref().expect("only models with an MLP run one")
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

/// a ← a · b, number by number.
#[simd]
fn multiply<S: Simd>(simd: S, a: &mut [f32], b: &[f32]) {
    for (a, b) in lanes_mut::<S>(a).zip(lanes::<S>(b)) {
        (get(simd, a) * get(simd, b)).store_slice(a);
    }
}
