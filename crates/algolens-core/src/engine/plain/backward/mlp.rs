//! The MLP of a block, from its end.

use super::{block::BlockGradients, norm::norm};
use crate::{
    Scalar,
    engine::{
        hooks::BlockPoint,
        matmul,
        plain::{activations::MlpActs, forward::NormPlace, tracer::Tracer},
    },
};
use ndarray::Zip;

/// Adds to the gradient of the residual stream what reaches `resid_mid` through the MLP.
pub(super) fn mlp<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &MlpActs<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let params = block.pass.params;
    let layout = block.layout.mlp.as_ref().expect("only models with an MLP run one");
    let d_hidden = scratch.hidden.as_mut().expect("allocated for models with an MLP"); // [row, d_mlp]
    let d_out = &scratch.resid; // [row, d_model]
    block.show_gradient(BlockPoint::MlpOut, d_out);
    matmul::add(gradients.get_mut(layout.W_out), acts.post.t(), d_out.view());
    matmul::add_row_sums(gradients.get_mut(layout.b_out), d_out.view());
    matmul::set(d_hidden.view_mut(), d_out.view(), params.get(layout.W_out).t());
    block.show_gradient(BlockPoint::MlpPost, d_hidden);
    let act_fn = block.act_fn();
    Zip::from(&mut *d_hidden).and(&acts.pre).for_each(|d, pre| *d *= act_fn.derivative(*pre));
    block.show_gradient(BlockPoint::MlpPre, d_hidden);
    let normalized = acts.ln2.as_ref().map_or(&acts.input, |ln2| &ln2.out);
    matmul::add(gradients.get_mut(layout.W_in), normalized.t(), d_hidden.view());
    matmul::add_row_sums(gradients.get_mut(layout.b_in), d_hidden.view());
    let d_normalized = &mut scratch.norm; // [row, d_model]
    matmul::set(d_normalized.view_mut(), d_hidden.view(), params.get(layout.W_in).t());
    if let Some(ln2) = &acts.ln2 {
        norm(&NormPlace::ln2(block), ln2, d_normalized, gradients, block.tracer);
    }
    block.show_gradient(BlockPoint::MlpIn, d_normalized);
    scratch.resid += &scratch.norm;
    block.show_gradient(BlockPoint::ResidMid, &scratch.resid);
}
