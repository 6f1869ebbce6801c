//! The MLP of a block.

use super::norm::{NormPlace, norm};
use crate::{
    Result, Scalar,
    engine::{
        hooks::BlockPoint,
        matmul,
        plain::{activations::MlpActs, pass::Block, tracer::Tracer},
    },
};
use ndarray::Zip;

/// `out` = act_fn(ln2(`resid_mid`) W_in + b_in) W_out + b_out.
pub(super) fn mlp<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut MlpActs<T>) -> Result<()> {
    let params = cx.pass.params;
    let layout = cx.layout.mlp.as_ref().expect("only models with an MLP run one");
    acts.input.assign(&acts.resid_mid); // [row, d_model]
    cx.show(BlockPoint::MlpIn, &mut acts.input)?;
    let normalized = match &mut acts.ln2 {
        Some(ln2) => {
            norm(&NormPlace::ln2(cx), ln2, acts.input.view(), cx.tracer)?;
            &ln2.out
        }
        None => &acts.input,
    };
    matmul::set(acts.pre.view_mut(), normalized.view(), params.get(layout.W_in)); // [row, d_mlp]
    acts.pre += &params.get(layout.b_in);
    cx.show(BlockPoint::MlpPre, &mut acts.pre)?;
    let act_fn = cx.act_fn();
    Zip::from(&mut acts.post).and(&acts.pre).for_each(|post, pre| *post = act_fn.apply(*pre));
    cx.show(BlockPoint::MlpPost, &mut acts.post)?;
    matmul::set(acts.out.view_mut(), acts.post.view(), params.get(layout.W_out)); // [row, d_model]
    acts.out += &params.get(layout.b_out);
    cx.show(BlockPoint::MlpOut, &mut acts.out)
}
