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
use ndarray::{Array2, ArrayView2};

/// Fills in the activations of a batch, and its logits at `pass.positions`.
pub(super) fn forward<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    embed(pass, acts, tracer)?;
    blocks(pass, acts, tracer, 0)?;
    unembed(pass, acts, tracer)
}

/// [`forward`] from a point of the residual stream on, where it has these rows `[row, d_model]`: what comes before the point
/// stays unknown.
pub(super) fn forward_from<T: Scalar, R: Tracer<T>>(
    pass: Pass<T>,
    acts: &mut Activations<T>,
    tracer: &mut R,
    (layer, point): (usize, BlockPoint),
    resid: ArrayView2<T>,
) -> Result<()> {
    embed_positions(pass, acts);
    let acts_of_block = &mut acts.blocks[layer];
    if point == BlockPoint::ResidPost {
        acts_of_block.resid_post.assign(&resid);
    } else {
        acts_of_block.resid_pre.assign(&resid);
        block(&mut Block::new(pass, layer, tracer), acts_of_block, &acts.pos_embed)?;
    }
    blocks(pass, acts, tracer, layer + 1)?;
    unembed(pass, acts, tracer)
}

/// The blocks from one on.
fn blocks<T: Scalar, R: Tracer<T>>(
    pass: Pass<T>,
    acts: &mut Activations<T>,
    tracer: &mut R,
    first: usize,
) -> Result<()> {
    for layer in first..acts.blocks.len() {
        enter_block(pass, acts, layer);
        block(&mut Block::new(pass, layer, tracer), &mut acts.blocks[layer], &acts.pos_embed)?;
    }
    Ok(())
}

/// `embed` = W_E[token], `pos_embed` = W_pos[pos] where positions have embeddings, both `[row, d_model]`.
fn embed<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    let layout = pass.params.layout();
    let w_e = pass.params.get(layout.W_E); // [d_vocab, d_model]
    for (mut row, token) in acts.embed.rows_mut().into_iter().zip(&pass.tokens) {
        row.assign(&w_e.row(*token as usize));
    }
    let shape = pass.sizes.shape(&acts.embed); // [batch, pos, d_model]
    tracer.activation(HookPoint::Embed, shaped_mut(&mut acts.embed, &shape))?;
    if layout.W_pos.is_none() {
        return Ok(());
    }
    embed_positions(pass, acts);
    tracer.activation(HookPoint::PosEmbed, shaped_mut(&mut acts.pos_embed, &shape))
}

/// `pos_embed`, where positions have embeddings.
fn embed_positions<T: Scalar>(pass: Pass<T>, acts: &mut Activations<T>) {
    let Some(w_pos) = pass.params.layout().W_pos else { return };
    let w_pos = pass.params.get(w_pos); // [n_ctx, d_model]
    for (row, mut pos_embed) in acts.pos_embed.rows_mut().into_iter().enumerate() {
        pos_embed.assign(&w_pos.row(row % pass.sizes.seq));
    }
}

/// The block's `resid_pre`: what the block before it left, or the embedding.
fn enter_block<T: Scalar>(pass: Pass<T>, acts: &mut Activations<T>, layer: usize) {
    let (before, rest) = acts.blocks.split_at_mut(layer);
    let resid_pre = &mut rest[0].resid_pre;
    match before.last() {
        Some(block) => resid_pre.assign(&block.resid_post),
        None => embedding(pass, &acts.embed, &acts.pos_embed, resid_pre),
    }
}

/// The residual stream before any block.
fn embedding<T: Scalar>(pass: Pass<T>, embed: &Array2<T>, pos_embed: &Array2<T>, resid: &mut Array2<T>) {
    resid.assign(embed);
    if pass.config.positional_embedding_type == Positions::Standard {
        *resid += pos_embed;
    }
}

/// `resid_post` = `resid_mid` + mlp(`resid_mid`), `resid_mid` = `resid_pre` + attention(`resid_pre`); in parallel,
/// `resid_post` = `resid_pre` + attention(`resid_pre`) + mlp(`resid_pre`).
fn block<T: Scalar, R: Tracer<T>>(cx: &mut Block<T, R>, acts: &mut BlockActs<T>, pos_embed: &Array2<T>) -> Result<()> {
    cx.show(BlockPoint::ResidPre, &mut acts.resid_pre)?;
    if cx.pass.sizes.heads > 0 {
        attention::attention(cx, &mut acts.attn, &acts.resid_pre, pos_embed)?;
    }
    match &mut acts.mlp {
        None => sum(&mut acts.resid_post, &acts.resid_pre, &acts.attn.out),
        Some(mlp) if cx.pass.config.parallel_attn_mlp => {
            mlp::mlp(cx, mlp, &acts.resid_pre)?;
            sum(&mut acts.resid_post, &acts.resid_pre, &acts.attn.out);
            acts.resid_post += &mlp.out;
        }
        Some(mlp) => {
            sum(&mut acts.resid_mid, &acts.resid_pre, &acts.attn.out);
            cx.show(BlockPoint::ResidMid, &mut acts.resid_mid)?;
            mlp::mlp(cx, mlp, &acts.resid_mid)?;
            sum(&mut acts.resid_post, &acts.resid_mid, &mlp.out);
        }
    }
    cx.show(BlockPoint::ResidPost, &mut acts.resid_post)
}

/// `logits` = ln_final(resid) W_U + b_U, at the predicted positions only, capped where the config says so.
fn unembed<T: Scalar, R: Tracer<T>>(pass: Pass<T>, acts: &mut Activations<T>, tracer: &mut R) -> Result<()> {
    gather_final(pass, acts);
    if let Some(ln_final) = &mut acts.ln_final {
        norm::norm(&NormPlace::last(pass), ln_final, acts.resid_final.view(), tracer)?;
    }
    let normalized = acts.ln_final.as_mut().map_or(&mut acts.resid_final, |ln_final| &mut ln_final.out);
    show_predicted(pass, HookPoint::UnembedIn, normalized, tracer)?;
    matmul::set(acts.logits.view_mut(), normalized.view(), pass.params.unembedding()); // [batch · predicted, d_vocab_out]
    if let Some(b_u) = pass.params.layout().b_U {
        acts.logits += &pass.params.get(b_u);
    }
    show_predicted(pass, HookPoint::UnembedOut, &mut acts.logits, tracer)?;
    if let (Some(cap), Some(capped)) = (pass.config.output_logits_soft_cap, &mut acts.capped_logits) {
        acts.logits.mapv_inplace(|logit| soft_cap(logit, T::of(cap)));
        capped.assign(&acts.logits);
    }
    Ok(())
}

/// Gathers the rows of the residual stream that are unembedded.
fn gather_final<T: Scalar>(pass: Pass<T>, acts: &mut Activations<T>) {
    let embedded = acts.blocks.is_empty().then(|| {
        let mut resid = acts.embed.clone();
        embedding(pass, &acts.embed, &acts.pos_embed, &mut resid);
        resid
    });
    let Some(resid) = embedded.as_ref().or(acts.blocks.last().map(|block| &block.resid_post)) else { return };
    for (mut last, row) in acts.resid_final.rows_mut().into_iter().zip(pass.predicted_rows()) {
        last.assign(&resid.row(row)); // [batch · predicted, d_model]
    }
}

/// Shows rows of predicted positions as `[batch, predicted, width]`.
fn show_predicted<T: Scalar, R: Tracer<T>>(
    pass: Pass<T>,
    point: HookPoint,
    rows: &mut Array2<T>,
    tracer: &mut R,
) -> Result<()> {
    let shape = [pass.sizes.batch, pass.sizes.predicted, rows.ncols()];
    tracer.activation(point, shaped_mut(rows, &shape))
}

/// cap · tanh(x / cap).
fn soft_cap<T: Scalar>(x: T, cap: T) -> T {
    cap * (x / cap).tanh()
}

fn sum<T: Scalar>(to: &mut Array2<T>, a: &Array2<T>, b: &Array2<T>) {
    to.assign(a);
    *to += b;
}
