//! The backward pass: the forward pass from its end.

mod attention;
mod block;
mod mlp;
mod norm;
mod scratch;

pub(super) use scratch::Scratch;

use super::{
    activations::{Activations, BlockActs},
    forward::NormPlace,
    pass::{Block, Pass, shaped},
    tracer::Tracer,
};
use crate::{
    Scalar,
    engine::{
        hooks::{BlockPoint, HookPoint},
        matmul,
    },
    model::{Params, Positions},
};
use block::BlockGradients;
use ndarray::{Array2, Zip};

/// Adds to `gradients` those of a number whose derivative by the logits stands in `acts.logits`, and is changed there.
pub(super) fn backward<T: Scalar, R: Tracer<T>>(
    pass: Pass<T>,
    acts: &mut Activations<T>,
    scratch: &mut Scratch<T>,
    gradients: &mut Params<T>,
    tracer: &mut R,
) {
    unembed(pass, acts, scratch, gradients, tracer);
    scratch.pos_embed.fill(T::zero());
    for (layer, acts) in acts.blocks.iter().enumerate().rev() {
        block(&mut BlockGradients { block: Block::new(pass, layer, tracer), scratch, gradients }, acts);
    }
    embed(pass, scratch, gradients, tracer);
}

/// `scratch.resid` from the gradient of the logits.
fn unembed<T: Scalar, R: Tracer<T>>(
    pass: Pass<T>,
    acts: &mut Activations<T>,
    scratch: &mut Scratch<T>,
    gradients: &mut Params<T>,
    tracer: &mut R,
) {
    if let (Some(cap), Some(capped)) = (pass.config.output_logits_soft_cap, &acts.capped_logits) {
        let slope = |d: &mut T, capped: &T| *d *= soft_cap_slope(*capped, T::of(cap));
        Zip::from(&mut acts.logits).and(capped).for_each(slope);
    }
    let d_logits = &acts.logits; // [batch · predicted, d_vocab_out]
    show_predicted(pass, HookPoint::UnembedOut, d_logits, tracer);
    let normalized = acts.ln_final.as_ref().map_or(&acts.resid_final, |norm| &norm.out);
    matmul::add(gradients.unembedding_mut(), normalized.t(), d_logits.view());
    if let Some(b_u) = pass.params.layout().b_U {
        matmul::add_row_sums(gradients.get_mut(b_u), d_logits.view());
    }
    let d_final = &mut scratch.resid_final; // [batch · predicted, d_model]
    matmul::set(d_final.view_mut(), d_logits.view(), pass.params.unembedding().t());
    show_predicted(pass, HookPoint::UnembedIn, d_final, tracer);
    if let Some(ln_final) = &acts.ln_final {
        norm::norm(&NormPlace::last(pass), ln_final, d_final, gradients, tracer);
    }
    scratch.resid.fill(T::zero());
    for (d, row) in d_final.rows().into_iter().zip(pass.predicted_rows()) {
        let mut d_resid = scratch.resid.row_mut(row); // [d_model]
        d_resid += &d;
    }
}

/// Shows the gradient of rows of predicted positions as `[batch, predicted, width]`.
fn show_predicted<T: Scalar, R: Tracer<T>>(pass: Pass<T>, point: HookPoint, rows: &Array2<T>, tracer: &mut R) {
    tracer.gradient(point, shaped(rows, &[pass.sizes.batch, pass.sizes.predicted, rows.ncols()]));
}

/// The derivative of cap · tanh(x / cap), by its value.
fn soft_cap_slope<T: Scalar>(capped: T, cap: T) -> T {
    T::one() - capped / cap * (capped / cap)
}

fn block<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &BlockActs<T>) {
    cx.block.show_gradient(BlockPoint::ResidPost, &cx.scratch.resid);
    let attends = cx.block.pass.sizes.heads > 0;
    match &acts.mlp {
        Some(mlp_acts) if cx.block.pass.config.parallel_attn_mlp => {
            mlp::mlp(cx, mlp_acts);
            let d_through_mlp = cx.scratch.norm.clone(); // [row, d_model]
            if attends {
                attention::attention(cx, &acts.attn, &acts.resid_pre);
            }
            cx.scratch.resid += &d_through_mlp;
        }
        mlp_acts => {
            if let Some(mlp_acts) = mlp_acts {
                mlp::mlp(cx, mlp_acts);
                cx.scratch.resid += &cx.scratch.norm;
                cx.block.show_gradient(BlockPoint::ResidMid, &cx.scratch.resid);
            }
            if attends {
                attention::attention(cx, &acts.attn, &acts.resid_pre);
            }
        }
    }
    cx.block.show_gradient(BlockPoint::ResidPre, &cx.scratch.resid);
}

/// Adds rows of `scratch.resid` to those of W_E and W_pos.
fn embed<T: Scalar, R: Tracer<T>>(pass: Pass<T>, scratch: &mut Scratch<T>, gradients: &mut Params<T>, tracer: &mut R) {
    let layout = pass.params.layout();
    if pass.config.positional_embedding_type == Positions::Standard {
        scratch.pos_embed.assign(&scratch.resid); // [row, d_model]
    }
    for (point, d) in [(HookPoint::PosEmbed, &scratch.pos_embed), (HookPoint::Embed, &scratch.resid)] {
        tracer.gradient(point, shaped(d, &pass.sizes.shape(d)));
    }
    if let Some(w_pos) = layout.W_pos {
        let mut d_w_pos = gradients.get_mut(w_pos); // [n_ctx, d_model]
        for (row, d) in scratch.pos_embed.rows().into_iter().enumerate() {
            let mut d_position = d_w_pos.row_mut(row % pass.sizes.seq);
            d_position += &d;
        }
    }
    let mut d_w_e = gradients.get_mut(layout.W_E); // [d_vocab, d_model]
    for (token, d) in pass.tokens.iter().zip(scratch.resid.rows()) {
        let mut d_token = d_w_e.row_mut(*token as usize);
        d_token += &d;
    }
}
