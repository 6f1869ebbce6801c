//! The backward pass: the forward pass from its end.

use super::{
    Pass,
    forward::{points, predicted_rows},
    probe::{Probe, in_block},
    workspace::{Scratch, Workspace},
};
use crate::{
    Scalar,
    engine::{
        hooks::{BlockPoint, HookPoint},
        matmul,
    },
    model::{Params, Positions},
    task::Token,
};
use ndarray::ArrayView2;

impl<T: Scalar> Workspace<T> {
    /// Adds to `gradients` those of a number whose derivative by the logits stands in `self.logits`.
    pub fn backward<P: Probe<T>>(
        &mut self,
        pass: Pass<T>,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let mut scratch = self.scratch(pass.config);
        self.unembed_backward(pass, positions, &mut scratch, gradients, probe);
        scratch.pos_embed.fill(T::zero());
        for (layer, block) in self.blocks.iter().enumerate().rev() {
            let at = in_block(layer);
            pass.sizes.show_gradient(probe, at(BlockPoint::ResidPost), &scratch.resid);
            if let Some(mlp) = &block.mlp {
                mlp.backward(pass, layer, &mut scratch, gradients, probe);
            }
            block.attention_backward(pass, layer, &mut scratch, gradients, probe);
            pass.sizes.show_gradient(probe, at(BlockPoint::ResidPre), &scratch.resid);
        }
        embed_backward(pass, tokens, &mut scratch, gradients, probe);
        self.keep(scratch);
    }

    /// `scratch.resid` from the gradient of the logits.
    fn unembed_backward<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        positions: &[usize],
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let layout = pass.params.layout();
        let d_logits = &self.logits;
        let normed = self.ln_final.as_ref().map_or(&self.last, |norm| &norm.out);
        matmul::add(gradients.get_mut(layout.W_U), normed.t(), d_logits.view());
        matmul::add_row_sums(gradients.get_mut(layout.b_U), d_logits.view());
        let d_last = &mut scratch.last;
        matmul::set(d_last.view_mut(), d_logits.view(), pass.params.get(layout.W_U).t());
        if let Some(norm) = &self.ln_final {
            norm.backward(d_last, pass, layout.ln_final, gradients, probe, &points(pass.sizes));
        }
        scratch.resid.fill(T::zero());
        for (d, row) in d_last.rows().into_iter().zip(predicted_rows(pass.sizes, positions)) {
            let mut d_resid = scratch.resid.row_mut(row);
            d_resid += &d;
        }
    }
}

fn embed_backward<T: Scalar, P: Probe<T>>(
    pass: Pass<T>,
    tokens: ArrayView2<Token>,
    scratch: &mut Scratch<T>,
    gradients: &mut Params<T>,
    probe: &mut P,
) {
    let layout = pass.params.layout();
    if pass.config.positional_embedding_type == Positions::Standard {
        scratch.pos_embed.assign(&scratch.resid);
    }
    pass.sizes.show_gradient(probe, HookPoint::PosEmbed, &scratch.pos_embed);
    pass.sizes.show_gradient(probe, HookPoint::Embed, &scratch.resid);
    let mut d_w_pos = gradients.get_mut(layout.W_pos);
    for (row, d) in scratch.pos_embed.rows().into_iter().enumerate() {
        let mut d_position = d_w_pos.row_mut(row % pass.sizes.seq);
        d_position += &d;
    }
    let mut d_w_e = gradients.get_mut(layout.W_E);
    for (token, d) in tokens.iter().zip(scratch.resid.rows()) {
        let mut d_token = d_w_e.row_mut(*token as usize);
        d_token += &d;
    }
}
