//! The forward pass, from tokens to logits.

mod attention;
mod mlp;
mod norm;

pub(super) use norm::NormPlace;

use super::{
    activations::{Activations, BlockActs},
    pass::{Block, Pass, shaped_mut},
    tracer::Tracer,
};
use crate::{
    Result, Scalar,
    engine::{
        hooks::{BlockPoint, HookPoint},
        matmul,
    },
    model::Positions,
};
use ndarray::Array2;

/// Fills in the activations of a batch, and its logits at `pass.positions`.
pub(super) fn forward<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    embed(pass, acts, tracer)?;
    for layer in 0..acts.blocks.len() {
        enter_block(pass, acts, layer);
        block(&mut Block::new(pass, layer, tracer), &mut acts.blocks[layer], &acts.pos_embed)?;
    }
    unembed(pass, acts, tracer)
}

/// `embed` = W_E[token], `pos_embed` = W_pos[pos], both `[row, d_model]`.
fn embed<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    let layout = pass.params.layout();
    let (w_e, w_pos) = (pass.params.get(layout.W_E), pass.params.get(layout.W_pos)); // [d_vocab, d_model], [n_ctx, d_model]
    for (row, token) in pass.tokens.iter().enumerate() {
        acts.embed.row_mut(row).assign(&w_e.row(*token as usize));
        acts.pos_embed.row_mut(row).assign(&w_pos.row(row % pass.sizes.seq));
    }
    for (point, rows) in [(HookPoint::Embed, &mut acts.embed), (HookPoint::PosEmbed, &mut acts.pos_embed)] {
        let shape = pass.sizes.shape(rows); // [batch, pos, d_model]
        tracer.activation(point, shaped_mut(rows, &shape))?;
    }
    Ok(())
}

/// The block's `resid_pre`: what the block before it left, or the embedding.
fn enter_block<T: Scalar>(pass: Pass<T>, acts: &mut Activations<T>, layer: usize) {
    let (before, rest) = acts.blocks.split_at_mut(layer);
    let resid_pre = &mut rest[0].resid_pre;
    match before.last() {
        Some(block) => resid_pre.assign(&block.resid_post),
        None if pass.config.positional_embedding_type == Positions::Standard => {
            sum(resid_pre, &acts.embed, &acts.pos_embed);
        }
        None => resid_pre.assign(&acts.embed),
    }
}

/// `resid_post` = `resid_mid` + mlp(`resid_mid`), `resid_mid` = `resid_pre` + attention(`resid_pre`).
fn block<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut BlockActs<T>, pos_embed: &Array2<T>) -> Result<()> {
    cx.show(BlockPoint::ResidPre, &mut acts.resid_pre)?;
    attention::attention(cx, &mut acts.attn, &acts.resid_pre, pos_embed)?;
    match &mut acts.mlp {
        None => sum(&mut acts.resid_post, &acts.resid_pre, &acts.attn.out),
        Some(mlp) => {
            sum(&mut mlp.resid_mid, &acts.resid_pre, &acts.attn.out);
            cx.show(BlockPoint::ResidMid, &mut mlp.resid_mid)?;
            mlp::mlp(cx, mlp)?;
            sum(&mut acts.resid_post, &mlp.resid_mid, &mlp.out);
        }
    }
    cx.show(BlockPoint::ResidPost, &mut acts.resid_post)
}

/// `logits` = ln_final(resid) W_U + b_U, at the predicted positions only.
fn unembed<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    let layout = pass.params.layout();
    let resid_post = &acts.blocks.last().expect("a model has a block").resid_post;
    for (mut last, row) in acts.resid_final.rows_mut().into_iter().zip(pass.predicted_rows()) {
        last.assign(&resid_post.row(row)); // [batch · predicted, d_model]
    }
    let normalized = match &mut acts.ln_final {
        Some(ln_final) => {
            norm::norm(&NormPlace::last(pass), ln_final, acts.resid_final.view(), tracer)?;
            &ln_final.out
        }
        None => &acts.resid_final,
    };
    matmul::set(acts.logits.view_mut(), normalized.view(), pass.params.get(layout.W_U)); // [batch · predicted, d_vocab_out]
    acts.logits += &pass.params.get(layout.b_U);
    Ok(())
}

fn sum<T: Scalar>(to: &mut Array2<T>, a: &Array2<T>, b: &Array2<T>) {
    to.assign(a);
    *to += b;
}
