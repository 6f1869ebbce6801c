//! The circuits of a one-layer attention-only model as tables over rows, in f64: query and key vectors (QK), outputs
//! and logit contributions (OV, direct path).
#![allow(non_snake_case, reason = "matrices are called what the literature calls them")]

use super::Space;
use algolens_core::{
    Error, Result,
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::Task,
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// A one-layer attention-only model as tables over rows. A *row* is a token at a position: see [`Space`].
///
/// For a destination row, logit t is `(B_t + Σ_h N_h,t / D_h) / σ + β_t` where `N_h,t = Σ_r e_h(r) G_h[r, t]`,
/// `D_h = Σ_r e_h(r)` and σ is the final norm's scale of this input.
#[derive(Clone, Debug)]
pub struct Tables {
    space: Space,
    /// `[head][row, d_head]`, scaled by 1/√d_head.
    queries: Vec<Array2<f64>>,
    /// `[head][row, d_head]`.
    keys: Vec<Array2<f64>>,
    /// G `[head][row, d_vocab_out]`, the OV circuit: the logits of attending to a row, before the final norm's scale.
    pub(super) G: Vec<Array2<f64>>,
    /// Centred OV outputs `[head][row, d_model + 1]` to the residual stream; see `residual`.
    outputs: Vec<Array2<f64>>,
    /// B `[row, d_vocab_out]`, the direct path: the logits of a destination's own residual.
    pub(super) B: Array2<f64>,
    /// Centred residual `[row, d_model + 1]` of a destination without its heads. A last coordinate √(eps d_model) makes
    /// σ √d_model the length of the sum of this and the heads' averages.
    residual: Array2<f64>,
    /// β `[d_vocab_out]`: the constant part of the logits.
    pub(super) beta: Array1<f64>,
    /// True if there is a final norm; without one σ = 1.
    pub(super) normed: bool,
    largest_output: f64,
}

impl Tables {
    /// The most numbers the tables may have (1 GiB).
    const MOST: usize = 1 << 27;

    /// The tables of a model of `task`.
    ///
    /// # Errors
    /// A model of another form: more than one layer, an MLP, bidirectional attention; sizes that do not fit the task;
    /// lists that [`Space`] has not; weights that are not finite.
    pub fn of(model: &Model, task: &dyn Task) -> Result<Self> {
        let space = Space::of(&task.spec())?;
        check(model.config(), space)?;
        if let Some((name, _)) = model.params.tensors().find(|(_, tensor)| tensor.iter().any(|x| !x.is_finite())) {
            return Err(Error::invalid(name, "finite numbers", "NaN or infinity"));
        }
        let model = model.cast::<f64>();
        let (config, layout) = (model.config(), model.params.layout().clone());
        let block = &layout.blocks[0];
        let W_E = model.params.get(layout.W_E);
        let W_pos = model.params.get_or_zeros(layout.W_pos, [config.n_ctx, config.d_model]);
        let rows = space.rows();
        // The last sorted value is at a position that a context may lack: no prediction attends to it.
        let position = |row| space.position_and_token(row).0.min(config.n_ctx - 1);
        let pick = |matrix: ArrayView2<f64>, index: &dyn Fn(usize) -> usize| {
            Array2::from_shape_fn((rows, config.d_model), |(row, i)| matrix[[index(row), i]])
        };
        let (tokens, positions) = (pick(W_E, &|row| space.position_and_token(row).1), pick(W_pos.view(), &position));
        let standard = config.positional_embedding_type == Positions::Standard;
        let residual = if standard { &tokens + &positions } else { tokens };
        let normed = |x: &Array2<f64>| match config.normalization_type {
            Normalization::None => x.clone(),
            _ => {
                let mut x = centred(x);
                for mut row in x.rows_mut() {
                    let scale = (row.dot(&row) / config.d_model as f64 + config.eps).sqrt();
                    row /= scale;
                }
                x
            }
        };
        let mut inputs = normed(&residual);
        if let Some(ln1) = block.ln1 {
            inputs = inputs * model.params.get(ln1.w) + model.params.get_or_zeros(ln1.b, [config.d_model]);
        }
        let attending = if standard { inputs.clone() } else { &inputs + &positions };

        let has_norm = config.has_norms();
        let W_U = model.params.unembedding();
        let mut beta = model.params.get_or_zeros(layout.b_U, [config.d_vocab_out]).into_owned();
        let mut unembed = W_U.to_owned();
        if let Some(ln_final) = layout.ln_final {
            unembed = &unembed * &model.params.get(ln_final.w).insert_axis(Axis(1));
            beta = beta + model.params.get_or_zeros(ln_final.b, [config.d_model]).dot(&W_U);
        }
        let center = |x: &Array2<f64>| if has_norm { centred(x) } else { x.clone() };
        let [W_Q, W_K, W_V] = block.W_QKV.map(|slot| model.params.get(slot));
        let biases = [0, 1, 2].map(|kind| block.b_QKV.map(|biases| biases[kind]));
        let [b_Q, b_K, b_V] = biases.map(|slot| model.params.get_or_zeros(slot, [config.n_heads, config.d_head]));
        let W_O = model.params.get(block.W_O);
        let heads = 0..config.n_heads;
        let project = |x: &Array2<f64>, W: ndarray::ArrayView3<f64>, b: ArrayView2<f64>, head: usize| {
            x.dot(&W.index_axis(Axis(0), head)) + b.row(head)
        };
        let outputs: Vec<Array2<f64>> = heads
            .clone()
            .map(|head| center(&project(&inputs, W_V, b_V.view(), head).dot(&W_O.index_axis(Axis(0), head))))
            .collect();
        let direct = center(&(residual + model.params.get_or_zeros(block.b_O, [config.d_model])));
        let widen = |x: &Array2<f64>, last: f64| {
            let last = Array2::from_elem((x.nrows(), 1), last);
            ndarray::concatenate(Axis(1), &[x.view(), last.view()]).expect("both have a row a table row")
        };
        let G: Vec<Array2<f64>> = outputs.iter().map(|outputs| outputs.dot(&unembed)).collect();
        Ok(Self {
            space,
            queries: heads
                .clone()
                .map(|head| project(&attending, W_Q, b_Q.view(), head) * config.attn_scale(0))
                .collect(),
            keys: heads.map(|head| project(&attending, W_K, b_K.view(), head)).collect(),
            largest_output: G.iter().flatten().fold(f64::MIN_POSITIVE, |largest, g| g.abs().max(largest)),
            G,
            B: direct.dot(&unembed),
            outputs: outputs.iter().map(|outputs| widen(outputs, 0.0)).collect(),
            residual: widen(&direct, (config.eps * config.d_model as f64).sqrt()),
            beta,
            normed: has_norm,
        })
    }

    /// The lists that the rows are of.
    pub fn space(&self) -> Space {
        self.space
    }

    /// Number of attention heads.
    pub fn n_heads(&self) -> usize {
        self.G.len()
    }

    /// Number of output tokens, the answers a prediction can give.
    pub fn d_vocab_out(&self) -> usize {
        self.beta.len()
    }

    /// The largest entry of G, by its size.
    pub(super) fn largest_output(&self) -> f64 {
        self.largest_output
    }

    /// The centred residual `[d_model + 1]` of a destination, with √(eps d_model) as a last coordinate.
    pub(super) fn residual(&self, row: usize) -> ArrayView1<'_, f64> {
        self.residual.row(row)
    }

    /// A head's centred OV output `[d_model + 1]` at a row.
    pub(super) fn output(&self, head: usize, row: usize) -> ArrayView1<'_, f64> {
        self.outputs[head].row(row)
    }

    /// The attention score of a head's query at one row for its key at another.
    pub(super) fn score(&self, head: usize, destination: usize, row: usize) -> f64 {
        self.queries[head].row(destination).dot(&self.keys[head].row(row))
    }
}

/// The rows less their means.
fn centred(x: &Array2<f64>) -> Array2<f64> {
    let mean = x.mean_axis(Axis(1)).expect("d_model is at least 1");
    x - &mean.insert_axis(Axis(1))
}

/// Checks that a model's form and sizes fit the lists and the tables.
fn check(config: &Config, space: Space) -> Result<()> {
    let refuse = |what: &str, expected: &str, found: String| Err(Error::invalid(what, expected, found));
    if config.n_layers != 1 {
        return refuse("n_layers", "1, for proofs", config.n_layers.to_string());
    }
    if !config.attn_only() {
        return refuse("model", "no MLP, for proofs", "an MLP".into());
    }
    if config.attention_dir != AttentionDir::Causal {
        return refuse("attention", "causal, for proofs", "bidirectional".into());
    }
    // Biases that a model has not are 0.
    if let Some(option) = config.beyond_post().find(|option| *option != "biases") {
        return refuse("model", "no option beyond those of the post's family, for proofs", option.into());
    }
    let [n_ctx, d_vocab, d_vocab_out] = space.needs();
    if config.n_ctx < n_ctx || config.d_vocab < d_vocab || config.d_vocab_out < d_vocab_out {
        let expected = format!("a model of lists of {} values up to {}", space.list_len, space.values - 1);
        let found = format!("d_vocab {}, d_vocab_out {}, n_ctx {}", config.d_vocab, config.d_vocab_out, config.n_ctx);
        return refuse("model", &expected, found);
    }
    let width = config.d_model + config.d_vocab_out + 2 * config.d_head + 1;
    let numbers = space.rows().saturating_mul((config.n_heads + 1).saturating_mul(width));
    if numbers > Tables::MOST {
        return refuse("model", &format!("tables of at most {} numbers", Tables::MOST), numbers.to_string());
    }
    Ok(())
}
