//! The attention of a block, from its end.

use super::{
    Scratch,
    block::BlockGradients,
    norm::{norm, norm_of_copies},
};
use crate::{
    Scalar,
    engine::{
        K, Q, V,
        hooks::BlockPoint,
        matmul,
        plain::{
            activations::{AttentionActs, HeadInputs, InputRows},
            forward::NormPlace,
            heads::{add_heads, copy_for_heads, flat_output, head_block, head_columns_mut, sequences_and_heads},
            tracer::Tracer,
        },
    },
    model::Positions,
};
use ndarray::{Array2, Axis, Zip, s};

/// Adds to the gradient of the residual stream what reaches `resid_pre` through the block's attention; and in shortformer
/// models what reaches the positions to `scratch.pos_embed`.
pub(super) fn attention<T: Scalar, R: Tracer<T>>(
    cx: &mut BlockGradients<T, R>,
    acts: &AttentionActs<T>,
    resid_pre: &Array2<T>,
) {
    write(cx, acts);
    attend(cx, acts);
    project_weights(cx, acts, resid_pre);
    let layer = cx.block.layer;
    match &acts.inputs {
        HeadInputs::Shared(normalized) => {
            if cx.block.tracer.wants_gradient(|point| point.splits(layer)) {
                show_copied_inputs(cx, normalized);
            }
            shared_inputs(cx, normalized);
        }
        HeadInputs::Split(inputs) => {
            let normalized = inputs.each_ref().map(|input| &input.normalized);
            split_inputs(cx, normalized);
        }
    }
}

/// The gradients of W_O, b_O and z.
fn write<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &AttentionActs<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let (layout, heads) = (block.layout, block.pass.sizes.heads);
    let d_out = &scratch.resid; // [row, d_model]
    block.show_gradient(BlockPoint::AttnOut, d_out);
    let point = block.at(BlockPoint::Result);
    if block.tracer.wants_gradient(|at| at == point) {
        block.show_heads_gradient(BlockPoint::Result, &copy_for_heads(d_out, heads));
    }
    matmul::add_row_sums(gradients.get_mut(layout.b_O), d_out.view());
    let d_w_o = gradients.get_mut(layout.W_O);
    let (_, d_head, d_model) = d_w_o.dim();
    let d_w_o = d_w_o.into_shape_with_order((heads * d_head, d_model)).expect("a whole tensor is contiguous");
    matmul::add(d_w_o, acts.z.t(), d_out.view());
    let w_o = flat_output(block.pass.params.get(layout.W_O)); // [head · d_head, d_model]
    matmul::set(scratch.z.view_mut(), d_out.view(), w_o.t());
    block.show_heads_gradient(BlockPoint::Z, &scratch.z);
}

/// The gradients of the pattern, the scores, and of q, k and v.
fn attend<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, acts: &AttentionActs<T>) {
    let BlockGradients { block, scratch, .. } = cx;
    let pass = block.pass;
    let scale = T::of(pass.config.attn_scale());
    let Scratch { qkv: [d_q, d_k, d_v], z: d_z, scores: d_scores, .. } = &mut **scratch;
    for (sequence, head) in sequences_and_heads(pass.sizes) {
        let rows = head_block(pass, sequence, head);
        let d_z = d_z.slice(rows); // [pos, d_head]
        matmul::set(d_scores.slice_mut(s![sequence, head, .., ..]), d_z, acts.qkv[V].slice(rows).t());
        matmul::set(d_v.slice_mut(rows), acts.pattern.slice(s![sequence, head, .., ..]).t(), d_z);
    }
    block.tracer.gradient(block.at(BlockPoint::Pattern), d_scores.view().into_dyn());
    let softmax = acts.softmax.as_ref().unwrap_or(&acts.pattern);
    for (mut d, p) in d_scores.rows_mut().into_iter().zip(softmax.rows()) {
        let mean = d.iter().zip(p).map(|(d, p)| *d * *p).sum::<T>();
        Zip::from(&mut d).and(p).for_each(|d, p| *d = *p * (*d - mean)); // [key]
    }
    block.tracer.gradient(block.at(BlockPoint::AttnScores), d_scores.view().into_dyn());
    for (sequence, head) in sequences_and_heads(pass.sizes) {
        let rows = head_block(pass, sequence, head);
        let d_scores = d_scores.slice(s![sequence, head, .., ..]); // [query, key]
        matmul::set_scaled(d_q.slice_mut(rows), d_scores, acts.qkv[K].slice(rows), scale);
        matmul::set_scaled(d_k.slice_mut(rows), d_scores.t(), acts.qkv[Q].slice(rows), scale);
    }
    for (d, point) in [(d_q, BlockPoint::Q), (d_k, BlockPoint::K), (d_v, BlockPoint::V)] {
        block.show_heads_gradient(point, d);
    }
}

/// The gradients of W_Q, W_K, W_V and their biases.
fn project_weights<T: Scalar, R: Tracer<T>>(
    cx: &mut BlockGradients<T, R>,
    acts: &AttentionActs<T>,
    resid_pre: &Array2<T>,
) {
    let BlockGradients { block, scratch, gradients } = cx;
    let (layout, heads, d_head) = (block.layout, block.pass.sizes.heads, block.pass.config.d_head);
    for kind in [Q, K, V] {
        let d_projected = &mut scratch.qkv[kind]; // [row, head · d_head]
        let mut d_w = gradients.get_mut(layout.W_QKV[kind]); // [head, d_model, d_head]
        for head in 0..heads {
            let d = head_columns_mut(d_projected, head, d_head);
            let input = acts.inputs.head(resid_pre, kind, head, heads); // [row, d_model]
            matmul::add(d_w.index_axis_mut(Axis(0), head), input.t(), d.view());
        }
        let bias = &mut gradients.values_mut()[layout.b_QKV[kind].range()];
        matmul::add_row_sums(bias.into(), d_projected.view());
    }
}

/// What reaches the residual stream through inputs that all heads share.
fn shared_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: &InputRows<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let (params, config) = (block.pass.params, block.pass.config);
    scratch.norm.fill(T::zero()); // [row, d_model]
    for kind in [Q, K, V] {
        let w = params.get(block.layout.W_QKV[kind]); // [head, d_model, d_head]
        for head in 0..config.n_heads {
            let d = head_columns_mut(&mut scratch.qkv[kind], head, config.d_head);
            matmul::add(scratch.norm.view_mut(), d.view(), w.index_axis(Axis(0), head).t());
        }
        // Queries and keys have been summed up by now: they are what positions are added to.
        if kind == K && config.positional_embedding_type == Positions::Shortformer {
            scratch.pos_embed += &scratch.norm;
        }
    }
    if let Some(ln1) = &normalized.ln1 {
        norm(&NormPlace::ln1(block, false), ln1, &mut scratch.norm, gradients, block.tracer);
    }
    scratch.resid += &scratch.norm;
}

/// The gradients of inputs that all heads share, for each head as if it had its own: only shown.
fn show_copied_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: &InputRows<T>) {
    let place = NormPlace::ln1(&cx.block, false);
    each_head_input(cx, |cx, _, d_input| {
        if let Some(ln1) = &normalized.ln1 {
            norm_of_copies(&place, ln1, d_input, cx.block.pass.sizes.heads);
        }
    });
}

/// What reaches the residual stream and the norm's weights through inputs that a hook has split.
fn split_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: [&InputRows<T>; 3]) {
    let d_attn_in = each_head_input(cx, |cx, kind, d_input| {
        let heads = cx.block.pass.sizes.heads;
        if normalized[kind].with_pos.is_some() {
            add_heads(&mut cx.scratch.pos_embed, d_input, heads);
        }
        if let Some(ln1) = &normalized[kind].ln1 {
            norm(&NormPlace::ln1(&cx.block, true), ln1, d_input, cx.gradients, cx.block.tracer);
        }
    });
    add_heads(&mut cx.scratch.resid, &d_attn_in, cx.block.pass.sizes.heads);
}

/// The gradients of each head's own inputs: shows those for queries, keys and values, and returns their sum, that of
/// `hook_attn_in`. `to_input` turns the gradient of what is projected into that of the input, `[row · head, d_model]`.
fn each_head_input<T: Scalar, R: Tracer<T>>(
    cx: &mut BlockGradients<T, R>,
    to_input: impl Fn(&mut BlockGradients<T, R>, usize, &mut Array2<T>),
) -> Array2<T> {
    let (params, config) = (cx.block.pass.params, cx.block.pass.config);
    let heads = config.n_heads;
    let mut d_attn_in = Array2::zeros((cx.block.pass.sizes.rows() * heads, config.d_model)); // [row · head, d_model]
    for (kind, point) in [BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput].into_iter().enumerate() {
        let w = params.get(cx.block.layout.W_QKV[kind]); // [head, d_model, d_head]
        let mut d_input = Array2::zeros(d_attn_in.dim());
        for head in 0..heads {
            let d = head_columns_mut(&mut cx.scratch.qkv[kind], head, config.d_head);
            matmul::set(d_input.slice_mut(s![head..;heads, ..]), d.view(), w.index_axis(Axis(0), head).t());
        }
        to_input(cx, kind, &mut d_input);
        cx.block.show_heads_gradient(point, &d_input);
        d_attn_in += &d_input;
    }
    cx.block.show_heads_gradient(BlockPoint::AttnIn, &d_attn_in);
    d_attn_in
}
