//! Attention of a block, forward and backward.

use super::{
    Pass,
    norm::{NormActs, NormPoints},
    probe::{Probe, for_each_head, in_block, shaped_mut, show_scores},
    workspace::{BlockActs, Scratch},
};
use crate::{
    Result, Scalar,
    engine::{K, Q, V, hooks::BlockPoint, loss::softmax_in_place, matmul},
    model::{AttentionDir, BlockLayout, Params, Positions},
};
use ndarray::{Array2, ArrayView2, ArrayViewMut2, Axis, Zip, s};

impl<T: Scalar> BlockActs<T> {
    /// `attn_out` from `resid_pre` (and, in shortformer models, the positions).
    pub fn attention<P: Probe<T>>(
        &mut self,
        pass: Pass<T>,
        layer: usize,
        pos_embed: &Array2<T>,
        probe: &mut P,
    ) -> Result<()> {
        self.split_inputs(pass, layer, probe)?;
        self.normalize(pass, layer, probe)?;
        self.add_positions(pass, pos_embed);
        self.project(pass, layer, probe)?;
        self.attend(pass, layer, probe)?;
        self.write(pass, layer, probe)
    }

    /// Gives every head inputs of its own where a hook asks for it.
    fn split_inputs<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        self.split = None;
        if !probe.reads(|point| point.splits(layer)) {
            return Ok(());
        }
        let at = in_block(layer);
        let mut attn_in = for_each_head(&self.resid_pre, pass.sizes.heads);
        pass.sizes.show_heads(probe, at(BlockPoint::AttnIn), &mut attn_in)?;
        let mut inputs = [attn_in.clone(), attn_in.clone(), attn_in];
        let points = [BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput];
        for (input, point) in inputs.iter_mut().zip(points) {
            pass.sizes.show_heads(probe, at(point), input)?;
        }
        if probe.edits(|point| point.splits(layer)) {
            self.split = Some(inputs);
        }
        Ok(())
    }

    fn normalize<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        if !pass.config.has_norms() {
            return Ok(());
        }
        let weights = block_layout(pass, layer).ln1;
        let points = self.ln1_points(pass, layer);
        match &self.split {
            None => self.ln1[0].forward(self.resid_pre.view(), pass, weights, probe, &points),
            Some(inputs) => {
                self.ln1.clear();
                for input in inputs {
                    let mut ln1 = NormActs::new(input.nrows(), input.ncols());
                    ln1.forward(input.view(), pass, weights, probe, &points)?;
                    self.ln1.push(ln1);
                }
                Ok(())
            }
        }
    }

    fn add_positions(&mut self, pass: Pass<T>, pos_embed: &Array2<T>) {
        if pass.config.positional_embedding_type != Positions::Shortformer {
            return;
        }
        self.with_pos = match &self.split {
            None => {
                let mut with_pos = std::mem::take(&mut self.with_pos);
                with_pos[0].assign(&self.normalized(Q));
                with_pos[0] += pos_embed;
                with_pos
            }
            Some(_) => {
                let pos_embed = for_each_head(pos_embed, pass.sizes.heads);
                [Q, K].map(|kind| &self.normalized(kind) + &pos_embed).into()
            }
        };
    }

    /// What queries, keys or values are computed from before positions are added: `[row, d_model]`, or
    /// `[row · head, d_model]` where inputs are split.
    fn normalized(&self, kind: usize) -> ArrayView2<'_, T> {
        match (&self.split, self.ln1.len()) {
            (_, 3) => self.ln1[kind].out.view(),
            (_, 1) => self.ln1[0].out.view(),
            (Some(inputs), _) => inputs[kind].view(),
            (None, _) => self.resid_pre.view(),
        }
    }

    /// What the queries, keys or values of a head are computed from, `[row, d_model]`.
    fn input(&self, pass: Pass<T>, kind: usize, head: usize) -> ArrayView2<'_, T> {
        let all = match (kind, self.with_pos.len()) {
            (V, _) | (_, 0) => self.normalized(kind),
            (_, 1) => self.with_pos[0].view(),
            _ => self.with_pos[kind].view(),
        };
        if self.split.is_some() { all.slice_move(s![head..;pass.sizes.heads, ..]) } else { all }
    }

    fn project<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        let at = in_block(layer);
        let layout = block_layout(pass, layer);
        for (kind, point) in [BlockPoint::Q, BlockPoint::K, BlockPoint::V].into_iter().enumerate() {
            let mut projected = std::mem::take(&mut self.qkv[kind]);
            let weights = pass.params.get(layout.W_QKV[kind]);
            for head in 0..pass.sizes.heads {
                let input = self.input(pass, kind, head);
                matmul::set(of_head(pass, &mut projected, head), input, weights.index_axis(Axis(0), head));
            }
            let bias = pass.params.get(layout.b_QKV[kind]);
            projected += &bias.flatten();
            pass.sizes.show_heads(probe, at(point), &mut projected)?;
            self.qkv[kind] = projected;
        }
        Ok(())
    }

    fn attend<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        let at = in_block(layer);
        let scale = T::of(pass.config.attn_scale());
        let causal = pass.config.attention_dir == AttentionDir::Causal;
        for (list, head) in lists_and_heads(pass) {
            let [queries, keys] = [Q, K].map(|kind| self.qkv[kind].slice(rows_of(pass, list, head)));
            let mut scores = self.scores.slice_mut(s![list, head, .., ..]);
            matmul::set_scaled(scores.view_mut(), queries, keys.t(), scale);
            if causal {
                for (query, mut row) in scores.rows_mut().into_iter().enumerate() {
                    row.slice_mut(s![query + 1..]).fill(T::neg_infinity());
                }
            }
        }
        show_scores(probe, at(BlockPoint::AttnScores), &mut self.scores)?;
        self.pattern.assign(&self.scores);
        self.pattern.rows_mut().into_iter().for_each(softmax_in_place);
        self.softmax = probe.edits(|point| point == at(BlockPoint::Pattern)).then(|| self.pattern.clone());
        show_scores(probe, at(BlockPoint::Pattern), &mut self.pattern)?;
        for (list, head) in lists_and_heads(pass) {
            let values = self.qkv[V].slice(rows_of(pass, list, head));
            let z = self.z.slice_mut(rows_of(pass, list, head));
            matmul::set(z, self.pattern.slice(s![list, head, .., ..]), values);
        }
        pass.sizes.show_heads(probe, at(BlockPoint::Z), &mut self.z)
    }

    /// `attn_out` = Σ over heads of z W_O, plus b_O; head by head where somebody looks at `hook_result`.
    fn write<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        let at = in_block(layer);
        let layout = block_layout(pass, layer);
        let w_o = pass.params.get(layout.W_O);
        if probe.reads(|point| point == at(BlockPoint::Result)) {
            let (rows, heads) = (pass.sizes.rows(), pass.sizes.heads);
            let mut result = Array2::zeros((rows * heads, pass.config.d_model));
            for head in 0..heads {
                let z = of_head(pass, &mut self.z, head);
                matmul::set(result.slice_mut(s![head..;heads, ..]), z.view(), w_o.index_axis(Axis(0), head));
            }
            pass.sizes.show_heads(probe, at(BlockPoint::Result), &mut result)?;
            let per_head = shaped_mut(&mut result, &[rows, heads, pass.config.d_model]);
            Zip::from(self.attn_out.rows_mut())
                .and(per_head.axis_iter(Axis(0)))
                .for_each(|mut out, heads| out.assign(&heads.sum_axis(Axis(0))));
        } else {
            matmul::set(self.attn_out.view_mut(), self.z.view(), flat_output(w_o.view()));
        }
        self.attn_out += &pass.params.get(layout.b_O);
        pass.sizes.show(probe, at(BlockPoint::AttnOut), &mut self.attn_out)
    }

    /// Adds to `scratch.resid`, the gradient of what the block's attention wrote to, what reaches the residual stream
    /// before it; and to `scratch.pos_embed` in shortformer models.
    pub fn attention_backward<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        layer: usize,
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        self.write_backward(pass, layer, scratch, gradients, probe);
        self.attend_backward(pass, layer, scratch, probe);
        self.project_backward(pass, layer, scratch, gradients);
        if self.split.is_some() || probe.wants_gradient(|point| point.splits(layer)) {
            self.inputs_backward_by_head(pass, layer, scratch, gradients, probe);
        }
        if self.split.is_none() {
            self.inputs_backward(pass, layer, scratch, gradients, probe);
        }
    }

    fn write_backward<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        layer: usize,
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let at = in_block(layer);
        let layout = block_layout(pass, layer);
        let d_out = &scratch.resid;
        pass.sizes.show_gradient(probe, at(BlockPoint::AttnOut), d_out);
        if probe.wants_gradient(|point| point == at(BlockPoint::Result)) {
            pass.sizes.show_heads_gradient(probe, at(BlockPoint::Result), &for_each_head(d_out, pass.sizes.heads));
        }
        matmul::add_row_sums(gradients.get_mut(layout.b_O), d_out.view());
        let d_w_o = gradients.get_mut(layout.W_O);
        let (heads, d_head, d_model) = d_w_o.dim();
        let d_w_o = d_w_o.into_shape_with_order((heads * d_head, d_model)).expect("a whole tensor is contiguous");
        matmul::add(d_w_o, self.z.t(), d_out.view());
        let w_o = pass.params.get(layout.W_O);
        matmul::set(scratch.z.view_mut(), d_out.view(), flat_output(w_o).t());
        pass.sizes.show_heads_gradient(probe, at(BlockPoint::Z), &scratch.z);
    }

    fn attend_backward<P: Probe<T>>(&self, pass: Pass<T>, layer: usize, scratch: &mut Scratch<T>, probe: &mut P) {
        let at = in_block(layer);
        let scale = T::of(pass.config.attn_scale());
        let Scratch { qkv: [d_q, d_k, d_v], z: d_z, scores: d_scores, .. } = scratch;
        for (list, head) in lists_and_heads(pass) {
            let rows = rows_of(pass, list, head);
            let d_z = d_z.slice(rows);
            matmul::set(d_scores.slice_mut(s![list, head, .., ..]), d_z, self.qkv[V].slice(rows).t());
            matmul::set(d_v.slice_mut(rows), self.pattern.slice(s![list, head, .., ..]).t(), d_z);
        }
        probe.gradient(at(BlockPoint::Pattern), d_scores.view().into_dyn());
        let softmax = self.softmax.as_ref().unwrap_or(&self.pattern);
        for (mut d, p) in d_scores.rows_mut().into_iter().zip(softmax.rows()) {
            let mean = d.iter().zip(p).map(|(d, p)| *d * *p).sum::<T>();
            Zip::from(&mut d).and(p).for_each(|d, p| *d = *p * (*d - mean));
        }
        probe.gradient(at(BlockPoint::AttnScores), d_scores.view().into_dyn());
        for (list, head) in lists_and_heads(pass) {
            let rows = rows_of(pass, list, head);
            let d_scores = d_scores.slice(s![list, head, .., ..]);
            matmul::set_scaled(d_q.slice_mut(rows), d_scores, self.qkv[K].slice(rows), scale);
            matmul::set_scaled(d_k.slice_mut(rows), d_scores.t(), self.qkv[Q].slice(rows), scale);
        }
        for (d, point) in [(d_q, BlockPoint::Q), (d_k, BlockPoint::K), (d_v, BlockPoint::V)] {
            pass.sizes.show_heads_gradient(probe, at(point), d);
        }
    }

    /// The gradients of W_Q, W_K, W_V and their biases.
    fn project_backward(&self, pass: Pass<T>, layer: usize, scratch: &mut Scratch<T>, gradients: &mut Params<T>) {
        let layout = block_layout(pass, layer);
        for kind in [Q, K, V] {
            let projected = &mut scratch.qkv[kind];
            let mut d_w = gradients.get_mut(layout.W_QKV[kind]);
            for head in 0..pass.sizes.heads {
                let d = of_head(pass, projected, head);
                matmul::add(d_w.index_axis_mut(Axis(0), head), self.input(pass, kind, head).t(), d.view());
            }
            let bias = &mut gradients.values_mut()[layout.b_QKV[kind].range()];
            matmul::add_row_sums(bias.into(), projected.view());
        }
    }

    /// What reaches the residual stream through inputs that all heads share.
    fn inputs_backward<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        layer: usize,
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let layout = block_layout(pass, layer);
        scratch.normed.fill(T::zero());
        for kind in [Q, K, V] {
            for head in 0..pass.sizes.heads {
                let w = pass.params.get(layout.W_QKV[kind]);
                let d = of_head(pass, &mut scratch.qkv[kind], head);
                matmul::add(scratch.normed.view_mut(), d.view(), w.index_axis(Axis(0), head).t());
            }
            if kind == K && pass.config.positional_embedding_type == Positions::Shortformer {
                scratch.pos_embed += &scratch.normed;
            }
        }
        if let [ln1] = self.ln1.as_slice() {
            ln1.backward(&mut scratch.normed, pass, layout.ln1, gradients, probe, &self.ln1_points(pass, layer));
        }
        scratch.resid += &scratch.normed;
    }

    /// The gradients of each head's own inputs. Where a hook has split them, that is also what reaches the residual
    /// stream and the norm's weights; elsewhere the gradients are only shown.
    fn inputs_backward_by_head<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        layer: usize,
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let (at, heads, layout) = (in_block(layer), pass.sizes.heads, block_layout(pass, layer));
        let mut d_attn_in = Array2::<T>::zeros((pass.sizes.rows() * heads, pass.config.d_model));
        for (kind, point) in [BlockPoint::QInput, BlockPoint::KInput, BlockPoint::VInput].into_iter().enumerate() {
            let w = pass.params.get(layout.W_QKV[kind]);
            let mut d_input = Array2::zeros(d_attn_in.dim());
            for head in 0..heads {
                let d = of_head(pass, &mut scratch.qkv[kind], head);
                let of_this_head = d_input.slice_mut(s![head..;heads, ..]);
                matmul::set(of_this_head, d.view(), w.index_axis(Axis(0), head).t());
            }
            if self.split.is_some() {
                if kind != V && pass.config.positional_embedding_type == Positions::Shortformer {
                    add_heads(&mut scratch.pos_embed, &mut d_input, heads);
                }
                if let Some(ln1) = self.ln1.get(kind) {
                    let points = self.ln1_points(pass, layer);
                    ln1.backward(&mut d_input, pass, layout.ln1, gradients, probe, &points);
                }
            } else if let [ln1] = self.ln1.as_slice() {
                ln1.backward_of_copies(&mut d_input, pass, layout.ln1, heads);
            }
            pass.sizes.show_heads_gradient(probe, at(point), &d_input);
            d_attn_in += &d_input;
        }
        pass.sizes.show_heads_gradient(probe, at(BlockPoint::AttnIn), &d_attn_in);
        if self.split.is_some() {
            add_heads(&mut scratch.resid, &mut d_attn_in, heads);
        }
    }

    fn ln1_points(&self, pass: Pass<T>, layer: usize) -> NormPoints {
        let at = in_block(layer);
        NormPoints {
            scale: at(BlockPoint::Ln1Scale),
            normalized: at(BlockPoint::Ln1Normalized),
            rows: [pass.sizes.lists, pass.sizes.seq],
            heads: self.split.is_some().then_some(pass.sizes.heads),
        }
    }
}

/// rows ← rows + Σ over heads of `by_head [row · head, d_model]`.
fn add_heads<T: Scalar>(rows: &mut Array2<T>, by_head: &mut Array2<T>, heads: usize) {
    for head in 0..heads {
        *rows += &by_head.slice(s![head..;heads, ..]);
    }
}

fn block_layout<'a, T: Scalar>(pass: Pass<'a, T>, layer: usize) -> &'a BlockLayout {
    &pass.params.layout().blocks[layer]
}

/// The columns of one head of `[row, head · d_head]`.
fn of_head<'a, T: Scalar>(pass: Pass<T>, rows: &'a mut Array2<T>, head: usize) -> ArrayViewMut2<'a, T> {
    let d_head = pass.config.d_head;
    rows.slice_mut(s![.., head * d_head..(head + 1) * d_head])
}

type RowsOfHead = ndarray::SliceInfo<[ndarray::SliceInfoElem; 2], ndarray::Ix2, ndarray::Ix2>;

/// One list and head of `[row, head · d_head]`: `[pos, d_head]`.
fn rows_of<T: Scalar>(pass: Pass<T>, list: usize, head: usize) -> RowsOfHead {
    let (seq, d_head) = (pass.sizes.seq, pass.config.d_head);
    s![list * seq..(list + 1) * seq, head * d_head..(head + 1) * d_head]
}

fn lists_and_heads<T: Scalar>(pass: Pass<T>) -> impl Iterator<Item = (usize, usize)> {
    let heads = pass.sizes.heads;
    (0..pass.sizes.lists).flat_map(move |list| (0..heads).map(move |head| (list, head)))
}

/// W_O `[head, d_head, d_model]` as `[head · d_head, d_model]`.
fn flat_output<T: Scalar>(w_o: ndarray::ArrayView3<'_, T>) -> ArrayView2<'_, T> {
    let (heads, d_head, d_model) = w_o.dim();
    w_o.into_shape_with_order((heads * d_head, d_model)).expect("a whole tensor is contiguous")
}
