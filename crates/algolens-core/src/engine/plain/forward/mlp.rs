//! The MLP of a block.

use super::norm::{NormPlace, norm};
use crate::{
    Result, Scalar,
    engine::{
        hooks::BlockPoint,
        loss::softmax_in_place,
        matmul,
        plain::{activations::MlpActs, pass::Block, tracer::Tracer},
    },
    model::{ActFn, MlpLayout},
};
use ndarray::{Array2, Zip};

/// `out` = post W_out + b_out, with post = act_fn(ln2(`resid`) W_in + b_in), of `resid [row, d_model]`.
pub(super) fn mlp<T: Scalar, R: Tracer<T>>(
    cx: &mut Block<T, R>,
    acts: &mut MlpActs<T>,
    resid: &Array2<T>,
) -> Result<()> {
    let params = cx.pass.params;
    let layout = cx.layout.mlp.as_ref().expect("only models with an MLP run one");
    acts.input.assign(resid); // [row, d_model]
    cx.show(BlockPoint::MlpIn, &mut acts.input)?;
    if let Some(ln2) = &mut acts.ln2 {
        norm(&NormPlace::ln2(cx), ln2, acts.input.view(), cx.tracer)?;
    }
    match layout.W_gate {
        Some(_) => gated(cx, layout, acts)?,
        None => hidden(cx, layout, acts)?,
    }
    cx.show(BlockPoint::MlpPost, &mut acts.post)?;
    matmul::set(acts.out.view_mut(), acts.post.view(), params.get(layout.W_out)); // [row, d_model]
    if let Some(b_out) = layout.b_out {
        acts.out += &params.get(b_out);
    }
    cx.show(BlockPoint::MlpOut, &mut acts.out)
}

/// `post` = act_fn(x W_in + b_in), then normalized in `solu_ln`.
fn hidden<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, layout: &MlpLayout, acts: &mut MlpActs<T>) -> Result<()> {
    let params = cx.pass.params;
    let normalized = acts.ln2.as_ref().map_or(&acts.input, |ln2| &ln2.out);
    matmul::set(acts.pre.view_mut(), normalized.view(), params.get(layout.W_in)); // [row, d_mlp]
    if let Some(b_in) = layout.b_in {
        acts.pre += &params.get(b_in);
    }
    cx.show(BlockPoint::MlpPre, &mut acts.pre)?;
    let act_fn = cx.mlp().act_fn;
    let (Some(mid), Some(ln)) = (&mut acts.mid, &mut acts.ln) else {
        activate(act_fn, &acts.pre, &mut acts.post);
        return Ok(());
    };
    activate(act_fn, &acts.pre, mid);
    cx.show(BlockPoint::MlpMid, mid)?;
    norm(&NormPlace::mlp(cx), ln, mid.view(), cx.tracer)?;
    acts.post.assign(&ln.out);
    Ok(())
}

/// `post` = act_fn(x W_gate) ⊙ x W_in + b_in.
fn gated<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, layout: &MlpLayout, acts: &mut MlpActs<T>) -> Result<()> {
    let params = cx.pass.params;
    let (Some(w_gate), Some(mid), Some(pre_linear)) = (layout.W_gate, &mut acts.mid, &mut acts.pre_linear) else {
        panic!("a gated MLP has its weights and activations allocated")
    };
    let normalized = acts.ln2.as_ref().map_or(&acts.input, |ln2| &ln2.out);
    matmul::set(acts.pre.view_mut(), normalized.view(), params.get(w_gate)); // [row, d_mlp]
    cx.show(BlockPoint::MlpPre, &mut acts.pre)?;
    matmul::set(pre_linear.view_mut(), normalized.view(), params.get(layout.W_in)); // [row, d_mlp]
    cx.show(BlockPoint::MlpPreLinear, pre_linear)?;
    activate(cx.mlp().act_fn, &acts.pre, mid);
    Zip::from(&mut acts.post).and(&*mid).and(&*pre_linear).for_each(|post, act, linear| *post = *act * *linear);
    if let Some(b_in) = layout.b_in {
        acts.post += &params.get(b_in);
    }
    Ok(())
}

/// act_fn of every row of `pre [row, d_mlp]`.
fn activate<T: Scalar>(act_fn: ActFn, pre: &Array2<T>, to: &mut Array2<T>) {
    if !act_fn.by_row() {
        Zip::from(to).and(pre).for_each(|post, pre| *post = act_fn.apply(*pre));
        return;
    }
    to.assign(pre);
    for (mut row, pre) in to.rows_mut().into_iter().zip(pre.rows()) {
        softmax_in_place(row.view_mut());
        row *= &pre;
    }
}
