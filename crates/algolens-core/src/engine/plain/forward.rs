//! The forward pass.

use super::{
    Pass,
    norm::NormPoints,
    probe::{Probe, Sizes, in_block},
    workspace::Workspace,
};
use crate::{
    Result, Scalar,
    engine::{
        hooks::{BlockPoint, HookPoint},
        matmul,
    },
    model::Positions,
    task::Token,
};
use ndarray::{Array2, ArrayView2};

impl<T: Scalar> Workspace<T> {
    /// `logits` of `tokens` at `positions`.
    pub fn forward<P: Probe<T>>(
        &mut self,
        pass: Pass<T>,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        probe: &mut P,
    ) -> Result<()> {
        self.embed(pass, tokens, probe)?;
        for layer in 0..self.blocks.len() {
            self.enter_block(pass, layer);
            self.block(pass, layer, probe)?;
        }
        self.unembed(pass, positions, probe)
    }

    fn embed<P: Probe<T>>(&mut self, pass: Pass<T>, tokens: ArrayView2<Token>, probe: &mut P) -> Result<()> {
        let layout = pass.params.layout();
        let (w_e, w_pos) = (pass.params.get(layout.W_E), pass.params.get(layout.W_pos));
        for (row, (token, mut embed)) in tokens.iter().zip(self.embed.rows_mut()).enumerate() {
            embed.assign(&w_e.row(*token as usize));
            self.pos_embed.row_mut(row).assign(&w_pos.row(row % pass.sizes.seq));
        }
        pass.sizes.show(probe, HookPoint::Embed, &mut self.embed)?;
        pass.sizes.show(probe, HookPoint::PosEmbed, &mut self.pos_embed)
    }

    /// The block's `resid_pre`: what the block before it left, or the embedding.
    fn enter_block(&mut self, pass: Pass<T>, layer: usize) {
        let (before, from) = self.blocks.split_at_mut(layer);
        let resid_pre = &mut from[0].resid_pre;
        match before.last() {
            Some(block) => resid_pre.assign(&block.resid_post),
            None => {
                resid_pre.assign(&self.embed);
                if pass.config.positional_embedding_type == Positions::Standard {
                    *resid_pre += &self.pos_embed;
                }
            }
        }
    }

    fn block<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        let (at, sizes) = (in_block(layer), pass.sizes);
        let block = &mut self.blocks[layer];
        sizes.show(probe, at(BlockPoint::ResidPre), &mut block.resid_pre)?;
        block.attention(pass, layer, &self.pos_embed, probe)?;
        match &mut block.mlp {
            None => sum(&mut block.resid_post, &block.resid_pre, &block.attn_out),
            Some(mlp) => {
                sum(&mut mlp.resid_mid, &block.resid_pre, &block.attn_out);
                sizes.show(probe, at(BlockPoint::ResidMid), &mut mlp.resid_mid)?;
                mlp.forward(pass, layer, probe)?;
                sum(&mut block.resid_post, &mlp.resid_mid, &mlp.out);
            }
        }
        sizes.show(probe, at(BlockPoint::ResidPost), &mut block.resid_post)
    }

    /// The final norm and the logits, at `positions` only.
    fn unembed<P: Probe<T>>(&mut self, pass: Pass<T>, positions: &[usize], probe: &mut P) -> Result<()> {
        let layout = pass.params.layout();
        let resid = &self.blocks.last().expect("a model has a block").resid_post;
        for (mut last, row) in self.last.rows_mut().into_iter().zip(predicted_rows(pass.sizes, positions)) {
            last.assign(&resid.row(row));
        }
        let normed = match &mut self.ln_final {
            Some(norm) => {
                norm.forward(self.last.view(), pass, layout.ln_final, probe, &points(pass.sizes))?;
                &norm.out
            }
            None => &self.last,
        };
        matmul::set(self.logits.view_mut(), normed.view(), pass.params.get(layout.W_U));
        self.logits += &pass.params.get(layout.b_U);
        Ok(())
    }
}

/// The rows of the residual stream that are unembedded, list by list.
pub(super) fn predicted_rows(sizes: Sizes, positions: &[usize]) -> impl Iterator<Item = usize> {
    (0..sizes.lists).flat_map(move |list| positions.iter().map(move |position| list * sizes.seq + position))
}

/// The hook points of the final norm.
pub(super) fn points(sizes: Sizes) -> NormPoints {
    NormPoints {
        scale: HookPoint::LnFinalScale,
        normalized: HookPoint::LnFinalNormalized,
        rows: [sizes.lists, sizes.predicted],
        heads: None,
    }
}

fn sum<T: Scalar>(to: &mut Array2<T>, a: &Array2<T>, b: &Array2<T>) {
    to.assign(a);
    *to += b;
}
