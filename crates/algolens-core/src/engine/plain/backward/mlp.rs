//! The MLP of a block, from its end.

use super::{block::BlockGradients, norm::norm};
use crate::{
    Scalar,
    engine::{
        hooks::BlockPoint,
        loss::softmax_in_place,
        matmul,
        plain::{activations::MlpActs, forward::NormPlace, tracer::Tracer},
    },
    model::ActFn,
};
use ndarray::{Array2, ArrayView1, ArrayViewMut1, Zip};

/// `scratch.norm`, what reaches the residual stream through the MLP where that reads it.
pub(super) fn mlp<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &MlpActs<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let params = block.pass.params;
    let layout = block.layout.mlp.as_ref().expect("only models with an MLP run one");
    let d_hidden = scratch.hidden.as_mut().expect("allocated for models with an MLP"); // [row, d_mlp]
    let d_out = &scratch.resid; // [row, d_model]
    block.show_gradient(BlockPoint::MlpOut, d_out);
    matmul::add(gradients.get_mut(layout.W_out), acts.post.t(), d_out.view());
    if let Some(b_out) = layout.b_out {
        matmul::add_row_sums(gradients.get_mut(b_out), d_out.view());
    }
    matmul::set(d_hidden.view_mut(), d_out.view(), params.get(layout.W_out).t());
    block.show_gradient(BlockPoint::MlpPost, d_hidden);
    match layout.W_gate {
        Some(_) => gated(cx, acts),
        None => hidden(cx, acts),
    }
    let BlockGradients { block, scratch, gradients } = cx;
    if let Some(ln2) = &acts.ln2 {
        norm(&NormPlace::ln2(block), ln2, &mut scratch.norm, gradients, block.tracer);
    }
    block.show_gradient(BlockPoint::MlpIn, &scratch.norm);
}

/// `scratch.norm`, the gradient of what the MLP is computed from, by that of `post` in `scratch.hidden`.
fn hidden<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &MlpActs<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let layout = block.layout.mlp.as_ref().expect("only models with an MLP run one");
    let d_hidden = scratch.hidden.as_mut().expect("allocated for models with an MLP"); // [row, d_mlp]
    if let Some(ln) = &acts.ln {
        norm(&NormPlace::mlp(block), ln, d_hidden, gradients, block.tracer);
        block.show_gradient(BlockPoint::MlpMid, d_hidden);
    }
    through_activation(block.mlp().act_fn, &acts.pre, d_hidden);
    block.show_gradient(BlockPoint::MlpPre, d_hidden);
    let normalized = acts.ln2.as_ref().map_or(&acts.input, |ln2| &ln2.out);
    matmul::add(gradients.get_mut(layout.W_in), normalized.t(), d_hidden.view());
    if let Some(b_in) = layout.b_in {
        matmul::add_row_sums(gradients.get_mut(b_in), d_hidden.view());
    }
    matmul::set(scratch.norm.view_mut(), d_hidden.view(), block.pass.params.get(layout.W_in).t());
}

/// Why what a gated MLP needs is there.
const GATED: &str = "a gated MLP has its weights, activations and their gradients allocated";

/// [`hidden`] of a gated MLP.
fn gated<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &MlpActs<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let params = block.pass.params;
    let layout = block.layout.mlp.as_ref().expect("only models with an MLP run one");
    let (Some(d_pre), Some(d_linear)) = (&mut scratch.hidden, &mut scratch.linear) else { panic!("{GATED}") };
    let (Some(w_gate), Some(mid), Some(pre_linear)) = (layout.W_gate, &acts.mid, &acts.pre_linear) else {
        panic!("{GATED}")
    };
    if let Some(b_in) = layout.b_in {
        matmul::add_row_sums(gradients.get_mut(b_in), d_pre.view());
    }
    Zip::from(&mut *d_linear).and(&*d_pre).and(mid).for_each(|d_linear, d, act| *d_linear = *d * *act);
    *d_pre *= pre_linear;
    through_activation(block.mlp().act_fn, &acts.pre, d_pre);
    block.show_gradient(BlockPoint::MlpPreLinear, d_linear);
    block.show_gradient(BlockPoint::MlpPre, d_pre);
    let normalized = acts.ln2.as_ref().map_or(&acts.input, |ln2| &ln2.out);
    matmul::add(gradients.get_mut(w_gate), normalized.t(), d_pre.view());
    matmul::add(gradients.get_mut(layout.W_in), normalized.t(), d_linear.view());
    matmul::set(scratch.norm.view_mut(), d_pre.view(), params.get(w_gate).t());
    matmul::add(scratch.norm.view_mut(), d_linear.view(), params.get(layout.W_in).t());
}

/// Turns the gradient of act_fn(`pre`) into that of `pre`, `[row, d_mlp]`.
fn through_activation<T: Scalar>(act_fn: ActFn, pre: &Array2<T>, d: &mut Array2<T>) {
    if !act_fn.by_row() {
        Zip::from(d).and(pre).for_each(|d, pre| *d *= act_fn.derivative(*pre));
        return;
    }
    for (d, pre) in d.rows_mut().into_iter().zip(pre.rows()) {
        solu_backward(d, pre);
    }
}

/// Turns the gradient of y = x · softmax(x) into that of x: d x = p · (d y · (1 + x) − Σ d y · y), p = softmax(x).
fn solu_backward<T: Scalar>(mut d: ArrayViewMut1<T>, x: ArrayView1<T>) {
    let mut p = x.to_owned();
    softmax_in_place(p.view_mut());
    let along = Zip::from(&d).and(&x).and(&p).fold(T::zero(), |sum, d, x, p| sum + *d * *x * *p);
    Zip::from(&mut d).and(&x).and(&p).for_each(|d, x, p| *d = *p * (*d * (T::one() + *x) - along));
}
