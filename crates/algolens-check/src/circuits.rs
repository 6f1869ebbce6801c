//! The model's circuits over rows, in ball arithmetic: queries and keys (QK), outputs and their logits (OV), the direct
//! path.
#![allow(non_snake_case, reason = "weights are called what the literature calls them")]

use super::{
    ball::{Ball, BallRef, BallVec, BallVecs, Matrix},
    sizes::Sizes,
};
use algolens_core::{
    Error, Result,
    model::{Model, NormLayout, Normalization, Params, Positions, Slot},
};

/// A model's QK, OV and direct circuits over the rows of the task.
///
/// A row is a token at a position: see [`Sizes`]. Predictions are made at some of them, from
/// [`first_predicting`](Sizes::first_predicting) on.
pub(super) struct Circuits {
    /// The task's sizes.
    pub sizes: Sizes,
    /// Number of attention heads.
    pub heads: usize,
    /// Number of output tokens.
    pub outputs: usize,
    /// 1 / √d_head.
    scale: Ball,
    /// Keys `[head][row]`.
    keys: Vec<BallVecs>,
    /// Queries `[head][row − first]`, for rows that predict.
    queries: Vec<BallVecs>,
    /// OV outputs to the residual stream `[head][row]`, centred where there is a final norm.
    head_outputs: Vec<BallVecs>,
    /// Logits of the OV outputs before the norm's scale, `[head][row]`.
    head_logits: Vec<BallVecs>,
    /// The residual stream without the heads `[row − first]`, centred where there is a final norm.
    residual: BallVecs,
    /// The direct path: logits of that before the norm's scale, `[row − first]`.
    direct: BallVecs,
    /// The constant part of the logits `[output token]`.
    constant: Vec<Ball>,
    /// The final norm, if there is one.
    pub norm: Option<FinalNorm>,
}

/// Parameters of the final norm's scale √(|x|² / width + eps), x centred.
pub(super) struct FinalNorm {
    /// d_model.
    pub width: f64,
    /// The config's eps.
    pub eps: f64,
}

impl Circuits {
    /// Numbers that tables may have at most (2 GiB).
    const MOST: u128 = 1 << 28;

    /// The circuits of a model that reads the task's tokens.
    ///
    /// # Errors
    /// Models that the proof does not cover, that are too large, or whose weights are not finite.
    pub fn new(model: &Model, sizes: Sizes) -> Result<Self> {
        let config = model.config();
        check_size(model, sizes)?;
        let layout = model.params.layout();
        let block = &layout.blocks[0];
        let weights = Weights(&model.params);
        let (heads, width) = (config.n_heads, config.d_model);
        let [W_Q, W_K, W_V] = block.W_QKV.map(|slot| weights.heads(slot));
        let (Some(W_U), Some(W_pos)) = (layout.W_U, layout.W_pos) else {
            return Err(Error::invalid("the model", "every weight of the post's family", "fewer"));
        };
        // Biases that a model has not are 0.
        let zeros = |width: usize| vec![0.0; width];
        let [b_Q, b_K, b_V] = match block.b_QKV {
            Some(biases) => biases.map(|slot| weights.rows(slot)),
            None => [(); 3].map(|()| vec![zeros(config.d_head); heads]),
        };
        let W_O = weights.heads(block.W_O);
        let W_U = Matrix::new(weights.numbers(W_U.range()), config.d_vocab_out);
        let b_O = block.b_O.map_or_else(|| zeros(width), |slot| weights.numbers(slot.range()));
        let b_U = layout.b_U.map_or_else(|| zeros(config.d_vocab_out), |slot| weights.numbers(slot.range()));
        let [W_E, W_pos] = [layout.W_E, W_pos].map(|slot| weights.rows(slot));
        let final_norm = |x: &BallVec| if config.has_norms() { x.centred() } else { x.clone() };
        let to_logits = |x: &BallVec| match layout.ln_final {
            Some(NormLayout { w, .. }) => x.times(&weights.numbers(w.range())).product(&W_U),
            None => x.product(&W_U),
        };

        let wide = |width: usize| vec![BallVecs::new(width); heads];
        let mut circuits = Self {
            sizes,
            heads,
            outputs: config.d_vocab_out,
            scale: Ball::exact(1.0) / Ball::exact(config.d_head as f64).sqrt(),
            keys: wide(config.d_head),
            queries: wide(config.d_head),
            head_outputs: wide(width),
            head_logits: wide(config.d_vocab_out),
            residual: BallVecs::new(width),
            direct: BallVecs::new(config.d_vocab_out),
            constant: b_U.into_iter().map(Ball::exact).collect(),
            norm: config.has_norms().then_some(FinalNorm { width: width as f64, eps: config.eps }),
        };
        if let Some(NormLayout { b: Some(b), .. }) = layout.ln_final {
            let bias = BallVec::exact(weights.numbers(b.range())).product(&W_U);
            circuits.constant.iter_mut().enumerate().for_each(|(t, sum)| *sum = *sum + bias.number(t));
        }
        for row in 0..sizes.rows() {
            let (position, token) = sizes.position_and_token(row);
            let mut resid = BallVec::exact(W_E[token].clone());
            let shortformer = config.positional_embedding_type == Positions::Shortformer;
            if !shortformer {
                resid = resid.plus_exact(&W_pos[position]);
            }
            let values_read = weights.norm(config.normalization_type, block.ln1, &resid, config.eps);
            let scores_read = if shortformer { values_read.plus_exact(&W_pos[position]) } else { values_read.clone() };
            let predicts = row >= sizes.first_predicting();
            for h in 0..heads {
                circuits.keys[h].push(&scores_read.product(&W_K[h]).plus_exact(&b_K[h]));
                if predicts {
                    circuits.queries[h].push(&scores_read.product(&W_Q[h]).plus_exact(&b_Q[h]));
                }
                let output = final_norm(&values_read.product(&W_V[h]).plus_exact(&b_V[h]).product(&W_O[h]));
                circuits.head_logits[h].push(&to_logits(&output));
                circuits.head_outputs[h].push(&output);
            }
            if predicts {
                let residual = final_norm(&resid.plus_exact(&b_O));
                circuits.direct.push(&to_logits(&residual));
                circuits.residual.push(&residual);
            }
        }
        Ok(circuits)
    }

    /// The attention score of head `h`'s query at row `from` for its key at row `to`.
    pub fn score(&self, h: usize, from: usize, to: usize) -> Ball {
        self.queries[h].get(from - self.sizes.first_predicting()).dot(self.keys[h].get(to)) * self.scale
    }

    /// The OV output of head `h` at a row to the residual stream; centred where there is a final norm.
    pub fn output(&self, h: usize, row: usize) -> BallRef<'_> {
        self.head_outputs[h].get(row)
    }

    /// The logits of that output, before the final norm's scale.
    pub fn logits(&self, h: usize, row: usize) -> BallRef<'_> {
        self.head_logits[h].get(row)
    }

    /// The winner's less the loser's logit of that output, before the final norm's scale.
    pub fn advantage(&self, h: usize, row: usize, winner: usize, loser: usize) -> Ball {
        self.head_logits[h].number(row, winner) - self.head_logits[h].number(row, loser)
    }

    /// The residual stream at a row that predicts, without the heads; centred where there is a final norm.
    pub fn residual(&self, row: usize) -> BallRef<'_> {
        self.residual.get(row - self.sizes.first_predicting())
    }

    /// The direct path's logit at a row, before the final norm's scale.
    pub fn direct(&self, row: usize, output: usize) -> Ball {
        self.direct.number(row - self.sizes.first_predicting(), output)
    }

    /// The constant part of a logit.
    pub fn constant(&self, output: usize) -> Ball {
        self.constant[output]
    }
}

/// Checks that proofs cover the model's form and that its tables fit.
fn check_size(model: &Model, sizes: Sizes) -> Result<()> {
    /// As many as fit the evidence's flags.
    const MOST_HEADS: usize = 62;
    let config = model.config();
    if config.n_layers != 1 || !config.attn_only() {
        let found = format!("{} of them, {} MLPs", config.n_layers, if config.attn_only() { "no" } else { "with" });
        return Err(Error::invalid("the model's blocks", "one block of attention only", found));
    }
    if let Some(option) = config.beyond_post().find(|option| *option != "biases") {
        return Err(Error::invalid("the model", "no option beyond those of the post's family", option));
    }
    if config.keys_seen(0, 2) != 1 {
        return Err(Error::invalid("attention_dir", "causal", "bidirectional"));
    }
    if config.n_heads > MOST_HEADS {
        return Err(Error::invalid("n_heads", format!("at most {MOST_HEADS}"), config.n_heads));
    }
    let [n_ctx, d_vocab, d_vocab_out] = sizes.needs();
    for (what, least, found) in [
        ("n_ctx", n_ctx, config.n_ctx),
        ("d_vocab", d_vocab, config.d_vocab),
        ("d_vocab_out", d_vocab_out, config.d_vocab_out),
    ] {
        if found < least {
            return Err(Error::invalid(what, format!("at least {least} for the task"), found));
        }
    }
    let row_width = 2 * config.d_head + 2 * config.d_model + config.d_vocab_out;
    let numbers = row_width as u128 * (config.n_heads + 1) as u128 * sizes.rows() as u128;
    if numbers > Circuits::MOST {
        return Err(Error::invalid("the model's tables", format!("at most {} numbers", Circuits::MOST), numbers));
    }
    match model.params.tensors().find(|(_, values)| values.iter().any(|x| !x.is_finite())) {
        None => Ok(()),
        Some((name, _)) => Err(Error::invalid(name, "finite weights", "others")),
    }
}

/// A model's weights, read as f64 (which holds every f32).
struct Weights<'a>(&'a Params<f32>);

impl Weights<'_> {
    /// A range of the flat parameters.
    fn numbers(&self, range: std::ops::Range<usize>) -> Vec<f64> {
        self.0.values()[range].iter().map(|x| f64::from(*x)).collect()
    }

    /// A matrix's rows.
    fn rows(&self, slot: Slot<2>) -> Vec<Vec<f64>> {
        self.0.get(slot).rows().into_iter().map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect()
    }

    /// Matrices `[head]`.
    fn heads(&self, slot: Slot<3>) -> Vec<Matrix> {
        let views = self.0.get(slot);
        views.outer_iter().map(|w| Matrix::new(w.iter().map(|x| f64::from(*x)).collect(), w.ncols())).collect()
    }

    /// The norm before attention, applied to x.
    fn norm(&self, kind: Normalization, layout: Option<NormLayout>, x: &BallVec, eps: f64) -> BallVec {
        if kind == Normalization::None {
            return x.clone();
        }
        let centred = x.centred();
        let normalized = centred.over(scale_of(&centred, eps));
        match layout {
            None => normalized,
            Some(NormLayout { w, b }) => {
                let weighted = normalized.times(&self.numbers(w.range()));
                b.map_or(weighted.clone(), |b| weighted.plus_exact(&self.numbers(b.range())))
            }
        }
    }
}

/// The scale √(|x|² / width + eps) of a norm at a centred vector.
pub(super) fn scale_of(centred: &BallVec, eps: f64) -> Ball {
    let x = centred.view();
    (x.dot(x) / Ball::exact(x.values.len() as f64) + Ball::exact(eps)).sqrt()
}
