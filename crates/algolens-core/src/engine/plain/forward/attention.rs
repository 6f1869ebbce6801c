//! The attention of a block.

use super::{
    norm::{NormPlace, norm},
    soft_cap,
};
use crate::{
    Result, Scalar,
    engine::{
        K, Q, V,
        hooks::BlockPoint,
        loss::softmax_in_place,
        matmul,
        plain::{
            activations::{AttentionActs, HeadInputs, InputRows, SplitInput},
            heads::{copy_for_heads, flat_output, head_block, head_columns_mut, sequences_and_heads},
            pass::Block,
            tracer::Tracer,
        },
        rotary::{Angles, Turn},
    },
};
use ndarray::{Array2, ArrayView2, Axis, s};

/// `out` = Σ over heads of softmax(q kᵀ · scale) v W_O, plus b_O; q, k and v are computed from ln1(`resid_pre`).
pub(super) fn attention<T: Scalar, R: Tracer<T>>(
    cx: &mut Block<T, R>,
    acts: &mut AttentionActs<T>,
    resid_pre: &Array2<T>,
    pos_embed: &Array2<T>,
) -> Result<()> {
    split_inputs(cx, acts, resid_pre)?;
    normalize(cx, &mut acts.inputs, resid_pre, pos_embed)?;
    project(cx, acts, resid_pre)?;
    rotate(cx, acts)?;
    score(cx, acts)?;
    attend(cx, acts)?;
    mix_values(cx, acts)?;
    write(cx, acts)
}

/// Gives every head inputs of its own where a hook asks for it, and shows them where anybody looks.
fn split_inputs<T: Scalar, R: Tracer<T>>(
    cx: &mut Block<T, R>,
    acts: &mut AttentionActs<T>,
    resid_pre: &Array2<T>,
) -> Result<()> {
    let layer = cx.layer;
    if !cx.tracer.reads(|point| point.splits(layer)) {
        return Ok(());
    }
    let sizes = cx.pass.sizes;
    let mut inputs = if cx.pass.config.n_key_value_heads.is_some() {
        [Q, K, V].map(|kind| copy_for_heads(resid_pre, sizes.heads_of(kind)))
    } else {
        let mut attn_in = copy_for_heads(resid_pre, sizes.heads); // [row · head, d_model]
        cx.show_heads(BlockPoint::AttnIn, &mut attn_in)?;
        [attn_in.clone(), attn_in.clone(), attn_in]
    };
    for (input, point) in inputs.iter_mut().zip([BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput]) {
        cx.show_heads(point, input)?;
    }
    if cx.edits_head_inputs() {
        let [q, k, v] = inputs;
        let split = |resid: Array2<T>, for_queries_or_keys| {
            let normalized = InputRows::new(cx.pass.config, resid.nrows(), for_queries_or_keys);
            SplitInput { resid, normalized }
        };
        acts.inputs = HeadInputs::Split(Box::new([split(q, true), split(k, true), split(v, false)]));
    }
    Ok(())
}

/// ln1 of the inputs; in shortformer models also the positions that queries and keys see.
fn normalize<T: Scalar, R: Tracer<T>>(
    cx: &mut Block<T, R>,
    inputs: &mut HeadInputs<T>,
    resid_pre: &Array2<T>,
    pos_embed: &Array2<T>,
) -> Result<()> {
    match inputs {
        HeadInputs::Shared(normalized) => normalized.fill(cx, resid_pre, pos_embed, None),
        HeadInputs::Split(inputs) => {
            for (kind, SplitInput { resid, normalized }) in inputs.iter_mut().enumerate() {
                normalized.fill(cx, resid, pos_embed, Some(cx.pass.sizes.heads_of(kind)))?;
            }
            Ok(())
        }
    }
}

impl<T: Scalar> InputRows<T> {
    /// Computes them from rows of the residual stream, `[row, d_model]`, or `[row · head, d_model]` of so many heads where
    /// they are split.
    fn fill<R: Tracer<T>>(
        &mut self,
        cx: &mut Block<T, R>,
        resid: &Array2<T>,
        pos_embed: &Array2<T>,
        split: Option<usize>,
    ) -> Result<()> {
        if let Some(ln1) = &mut self.ln1 {
            norm(&NormPlace::ln1(cx, split), ln1, resid.view(), cx.tracer)?;
        }
        if let Some(with_pos) = &mut self.with_pos {
            with_pos.assign(self.ln1.as_ref().map_or(resid, |ln1| &ln1.out));
            match split {
                Some(heads) => *with_pos += &copy_for_heads(pos_embed, heads), // [row · head, d_model]
                None => *with_pos += pos_embed,                                // [row, d_model]
            }
        }
        Ok(())
    }

    /// The normalized rows that `kind` (queries, keys or values) is computed from; in shortformer models queries and keys
    /// see positions beside them.
    fn rows<'s>(&'s self, resid: &'s Array2<T>, kind: usize) -> &'s Array2<T> {
        match (&self.with_pos, &self.ln1) {
            (Some(with_pos), _) if kind != V => with_pos,
            (_, Some(ln1)) => &ln1.out,
            (_, None) => resid,
        }
    }
}

impl<T: Scalar> HeadInputs<T> {
    /// What the queries, keys or values of a head are computed from, `[row, d_model]`.
    pub fn head<'s>(&'s self, resid_pre: &'s Array2<T>, kind: usize, head: usize, heads: usize) -> ArrayView2<'s, T> {
        match self {
            Self::Shared(normalized) => normalized.rows(resid_pre, kind).view(),
            Self::Split(inputs) => {
                let SplitInput { resid, normalized } = &inputs[kind];
                normalized.rows(resid, kind).slice(s![head..;heads, ..])
            }
        }
    }
}

/// q = x W_Q + b_Q, k = x W_K + b_K, v = x W_V + b_V, head by head.
fn project<T: Scalar, R: Tracer<T>>(
    cx: &mut Block<T, R>,
    acts: &mut AttentionActs<T>,
    resid_pre: &Array2<T>,
) -> Result<()> {
    let (params, d_head) = (cx.pass.params, cx.pass.config.d_head);
    for (kind, point) in [BlockPoint::Q, BlockPoint::K, BlockPoint::V].into_iter().enumerate() {
        let heads = cx.pass.sizes.heads_of(kind);
        let weights = params.get(cx.layout.W_QKV[kind]); // [head, d_model, d_head]
        let projected = &mut acts.qkv[kind]; // [row, head · d_head]
        for head in 0..heads {
            let input = acts.inputs.head(resid_pre, kind, head, heads); // [row, d_model]
            matmul::set(head_columns_mut(projected, head, d_head), input, weights.index_axis(Axis(0), head));
        }
        if let Some(biases) = cx.layout.b_QKV {
            *projected += &params.get(biases[kind]).flatten();
        }
        cx.show_heads(point, projected)?;
    }
    Ok(())
}

/// With rotary positions, queries and keys rotated to where they stand.
fn rotate<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut AttentionActs<T>) -> Result<()> {
    let (Some(rotary), Some(rotated)) = (cx.pass.config.positional_embedding_type.rotary(), &mut acts.rotated) else {
        return Ok(());
    };
    let angles = Angles::new(rotary, cx.pass.sizes.seq);
    for (kind, point) in [BlockPoint::RotQ, BlockPoint::RotK].into_iter().enumerate() {
        rotated[kind].assign(&acts.qkv[kind]);
        angles.rotate(&mut rotated[kind], cx.pass.config.d_head, Turn::Forth);
        cx.show_heads(point, &mut rotated[kind])?;
    }
    Ok(())
}

/// `scores` = q kᵀ · scale, capped where the config says so, and masked, `[batch, head, query, key]`.
fn score<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut AttentionActs<T>) -> Result<()> {
    let (pass, config) = (cx.pass, cx.pass.config);
    let scale = T::of(config.attn_scale(cx.layer));
    for (sequence, head) in sequences_and_heads(pass.sizes) {
        let rows = head_block(pass, sequence, head);
        let key_rows = head_block(pass, sequence, pass.config.key_value_head(head));
        let AttentionActs { scores, qkv: [q, k, _], rotated, .. } = acts;
        let [q, k] = rotated.as_ref().map_or([&*q, &*k], |rotated| rotated.each_ref());
        let (q, k) = (q.slice(rows), k.slice(key_rows)); // [pos, d_head]
        let scores = scores.slice_mut(s![sequence, head, .., ..]); // [query, key]
        matmul::set_scaled(scores, q, k.t(), scale);
    }
    if let (Some(cap), Some(capped)) = (config.attn_scores_soft_cap, &mut acts.capped) {
        acts.scores.mapv_inplace(|score| soft_cap(score, T::of(cap)));
        capped.assign(&acts.scores);
    }
    pass.mask(cx.layer, &mut acts.scores, T::of(config.masked_score()));
    cx.tracer.activation(cx.at(BlockPoint::AttnScores), acts.scores.view_mut().into_dyn())
}

/// `pattern` = softmax(`scores`), `[batch, head, query, key]`; zeros where a query sees nothing.
fn attend<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut AttentionActs<T>) -> Result<()> {
    acts.pattern.assign(&acts.scores);
    acts.pattern.rows_mut().into_iter().for_each(softmax_in_place);
    let point = cx.at(BlockPoint::Pattern);
    acts.softmax = cx.tracer.edits(|at| at == point).then(|| acts.pattern.clone());
    cx.tracer.activation(point, acts.pattern.view_mut().into_dyn())
}

/// z = pattern v.
fn mix_values<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut AttentionActs<T>) -> Result<()> {
    for (sequence, head) in sequences_and_heads(cx.pass.sizes) {
        let rows = head_block(cx.pass, sequence, head);
        let pattern = acts.pattern.slice(s![sequence, head, .., ..]); // [query, key]
        let value_rows = head_block(cx.pass, sequence, cx.pass.config.key_value_head(head));
        matmul::set(acts.z.slice_mut(rows), pattern, acts.qkv[V].slice(value_rows)); // [pos, d_head]
    }
    cx.show_heads(BlockPoint::Z, &mut acts.z)
}

/// `out` = Σ over heads of z W_O, plus b_O; added up head by head in rows of which a hook has changed `hook_result`, so that one
/// that leaves a row as it is changes no bit of it, whatever else is in the batch.
fn write<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut AttentionActs<T>) -> Result<()> {
    let params = cx.pass.params;
    let w_o = params.get(cx.layout.W_O); // [head, d_head, d_model]
    let (heads, d_head, d_model) = w_o.dim();
    let rows = cx.pass.sizes.rows();
    let point = cx.at(BlockPoint::Result);
    matmul::set(acts.out.view_mut(), acts.z.view(), flat_output(w_o)); // [row, d_model]
    if cx.tracer.reads(|at| at == point) {
        let mut result = Array2::zeros((rows * heads, d_model)); // [row · head, d_model]
        for head in 0..heads {
            let z = head_columns_mut(&mut acts.z, head, d_head); // [row, d_head]
            matmul::set(result.slice_mut(s![head..;heads, ..]), z.view(), w_o.index_axis(Axis(0), head));
        }
        let before = cx.tracer.edits(|at| at == point).then(|| result.clone());
        cx.show_heads(BlockPoint::Result, &mut result)?;
        if let Some(before) = before {
            for (row, mut out) in acts.out.rows_mut().into_iter().enumerate() {
                let heads = s![row * heads..(row + 1) * heads, ..];
                let result = result.slice(heads); // [head, d_model]
                if before.slice(heads) != result {
                    out.assign(&result.sum_axis(Axis(0))); // [d_model]
                }
            }
        }
    }
    if let Some(b_o) = cx.layout.b_O {
        acts.out += &params.get(b_o);
    }
    cx.show(BlockPoint::AttnOut, &mut acts.out)
}
