//! The attention of a block, from its end.

use super::{
    Scratch,
    block::BlockGradients,
    norm::{norm, norm_of_copies},
    soft_cap_slope,
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
            heads::{
                HeadRows, add_heads, copy_for_heads, flat_output, head_block, head_columns_mut, sequences_and_heads,
            },
            pass::Pass,
            tracer::Tracer,
        },
        rotary::{Angles, Turn},
    },
    model::Positions,
};
use ndarray::{Array2, Array4, Axis, Zip, s};

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
    if let Some(b_o) = layout.b_O {
        matmul::add_row_sums(gradients.get_mut(b_o), d_out.view());
    }
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
    let Scratch { qkv: [d_q, d_k, d_v], z: d_z, scores: d_scores, .. } = &mut **scratch;
    let [q, k] = acts.scored();
    for (sequence, head) in sequences_and_heads(pass.sizes) {
        let (rows, value_rows) = rows_of(pass, sequence, head);
        let d_z = d_z.slice(rows); // [pos, d_head]
        matmul::set(d_scores.slice_mut(s![sequence, head, .., ..]), d_z, acts.qkv[V].slice(value_rows).t());
        let pattern = acts.pattern.slice(s![sequence, head, .., ..]); // [query, key]
        let into_values = if pass.is_first_of_group(head) { matmul::set } else { matmul::add };
        into_values(d_v.slice_mut(value_rows), pattern.t(), d_z);
    }
    block.tracer.gradient(block.at(BlockPoint::Pattern), d_scores.view().into_dyn());
    let softmax = acts.softmax.as_ref().unwrap_or(&acts.pattern);
    for (mut d, p) in d_scores.rows_mut().into_iter().zip(softmax.rows()) {
        let mean = d.iter().zip(p).map(|(d, p)| *d * *p).sum::<T>();
        Zip::from(&mut d).and(p).for_each(|d, p| *d = *p * (*d - mean)); // [key]
    }
    block.tracer.gradient(block.at(BlockPoint::AttnScores), d_scores.view().into_dyn());
    before_mask_and_cap(pass, block.layer, acts, d_scores);
    let scale = T::of(pass.config.attn_scale(block.layer));
    for (sequence, head) in sequences_and_heads(pass.sizes) {
        let (rows, key_rows) = rows_of(pass, sequence, head);
        let d_scores = d_scores.slice(s![sequence, head, .., ..]); // [query, key]
        matmul::set_scaled(d_q.slice_mut(rows), d_scores, k.slice(key_rows), scale);
        let into_keys = if pass.is_first_of_group(head) { matmul::set_scaled } else { matmul::add_scaled };
        into_keys(d_k.slice_mut(key_rows), d_scores.t(), q.slice(rows), scale);
    }
    if let Some(rotary) = pass.config.positional_embedding_type.rotary() {
        let angles = Angles::new(rotary, pass.sizes.seq);
        for (d, point) in [(&mut *d_q, BlockPoint::RotQ), (&mut *d_k, BlockPoint::RotK)] {
            block.show_heads_gradient(point, d);
            angles.rotate(d, pass.config.d_head, Turn::Back);
        }
    }
    for (d, point) in [(d_q, BlockPoint::Q), (d_k, BlockPoint::K), (d_v, BlockPoint::V)] {
        block.show_heads_gradient(point, d);
    }
}

/// Turns the gradient of the scores into that of what was masked and capped. A masked score of −∞ has none already.
fn before_mask_and_cap<T: Scalar>(pass: Pass<T>, layer: usize, acts: &AttentionActs<T>, d_scores: &mut Array4<T>) {
    if pass.config.masked_score.is_some() {
        pass.mask(layer, d_scores, T::zero());
    }
    if let (Some(cap), Some(capped)) = (pass.config.attn_scores_soft_cap, &acts.capped) {
        Zip::from(d_scores).and(capped).for_each(|d, capped| *d *= soft_cap_slope(*capped, T::of(cap)));
    }
}

impl<T: Scalar> AttentionActs<T> {
    /// The queries and keys that scores were made from.
    fn scored(&self) -> [&Array2<T>; 2] {
        let [q, k, _] = &self.qkv;
        self.rotated.as_ref().map_or([q, k], |rotated| rotated.each_ref())
    }
}

/// Where the queries of a head stand, and its keys and values.
fn rows_of<T: Scalar>(pass: Pass<T>, sequence: usize, head: usize) -> (HeadRows, HeadRows) {
    (head_block(pass, sequence, head), head_block(pass, sequence, pass.config.key_value_head(head)))
}

/// The gradients of W_Q, W_K, W_V and their biases.
fn project_weights<T: Scalar, R: Tracer<T>>(
    cx: &mut BlockGradients<T, R>,
    acts: &AttentionActs<T>,
    resid_pre: &Array2<T>,
) {
    let BlockGradients { block, scratch, gradients } = cx;
    let (layout, d_head) = (block.layout, block.pass.config.d_head);
    for kind in [Q, K, V] {
        let heads = block.pass.sizes.heads_of(kind);
        let d_projected = &mut scratch.qkv[kind]; // [row, head · d_head]
        let mut d_w = gradients.get_mut(layout.W_QKV[kind]); // [head, d_model, d_head]
        for head in 0..heads {
            let d = head_columns_mut(d_projected, head, d_head);
            let input = acts.inputs.head(resid_pre, kind, head, heads); // [row, d_model]
            matmul::add(d_w.index_axis_mut(Axis(0), head), input.t(), d.view());
        }
        if let Some(biases) = layout.b_QKV {
            let bias = &mut gradients.values_mut()[biases[kind].range()];
            matmul::add_row_sums(bias.into(), d_projected.view());
        }
    }
}

/// What reaches the residual stream through inputs that all heads share.
fn shared_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: &InputRows<T>) {
    let BlockGradients { block, scratch, gradients } = cx;
    let (params, config) = (block.pass.params, block.pass.config);
    scratch.norm.fill(T::zero()); // [row, d_model]
    for kind in [Q, K, V] {
        let w = params.get(block.layout.W_QKV[kind]); // [head, d_model, d_head]
        for head in 0..block.pass.sizes.heads_of(kind) {
            let d = head_columns_mut(&mut scratch.qkv[kind], head, config.d_head);
            matmul::add(scratch.norm.view_mut(), d.view(), w.index_axis(Axis(0), head).t());
        }
        // Queries and keys have been summed up by now: they are what positions are added to.
        if kind == K && config.positional_embedding_type == Positions::Shortformer {
            scratch.pos_embed += &scratch.norm;
        }
    }
    if let Some(ln1) = &normalized.ln1 {
        norm(&NormPlace::ln1(block, None), ln1, &mut scratch.norm, gradients, block.tracer);
    }
    scratch.resid += &scratch.norm;
}

/// The gradients of inputs that all heads share, for each head as if it had its own: only shown.
fn show_copied_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: &InputRows<T>) {
    let place = NormPlace::ln1(&cx.block, None);
    each_head_input(cx, |cx, kind, d_input| {
        if let Some(ln1) = &normalized.ln1 {
            norm_of_copies(&place, ln1, d_input, cx.block.pass.sizes.heads_of(kind));
        }
    });
}

/// What reaches the residual stream and the norm's weights through inputs that a hook has split.
fn split_inputs<T: Scalar, R: Tracer<T>>(cx: &mut BlockGradients<T, R>, normalized: [&InputRows<T>; 3]) {
    each_head_input(cx, |cx, kind, d_input| {
        let heads = cx.block.pass.sizes.heads_of(kind);
        if normalized[kind].with_pos.is_some() {
            add_heads(&mut cx.scratch.pos_embed, d_input, heads);
        }
        if let Some(ln1) = &normalized[kind].ln1 {
            norm(&NormPlace::ln1(&cx.block, Some(heads)), ln1, d_input, cx.gradients, cx.block.tracer);
        }
        add_heads(&mut cx.scratch.resid, d_input, heads);
    });
}

/// The gradients of each head's own inputs: shows those for queries, keys and values, and their sum, that of
/// `hook_attn_in`. `to_input` turns the gradient of what is projected into that of the input, `[row · head, d_model]`.
fn each_head_input<T: Scalar, R: Tracer<T>>(
    cx: &mut BlockGradients<T, R>,
    to_input: impl Fn(&mut BlockGradients<T, R>, usize, &mut Array2<T>),
) {
    let (params, config, sizes) = (cx.block.pass.params, cx.block.pass.config, cx.block.pass.sizes);
    let mut d_attn_in = Array2::zeros((sizes.rows() * sizes.heads, config.d_model)); // [row · head, d_model]
    let grouped = config.n_key_value_heads.is_some();
    for (kind, point) in [BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput].into_iter().enumerate() {
        let heads = sizes.heads_of(kind);
        let w = params.get(cx.block.layout.W_QKV[kind]); // [head, d_model, d_head]
        let mut d_input = Array2::zeros((sizes.rows() * heads, config.d_model));
        for head in 0..heads {
            let d = head_columns_mut(&mut cx.scratch.qkv[kind], head, config.d_head);
            matmul::set(d_input.slice_mut(s![head..;heads, ..]), d.view(), w.index_axis(Axis(0), head).t());
        }
        to_input(cx, kind, &mut d_input);
        cx.block.show_heads_gradient(point, &d_input);
        if !grouped {
            d_attn_in += &d_input;
        }
    }
    if !grouped {
        cx.block.show_heads_gradient(BlockPoint::AttnIn, &d_attn_in);
    }
}
