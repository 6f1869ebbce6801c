//! The circuits of a one-layer attention-only model as tables over rows, in f64: query and key vectors (QK), outputs
//! and logit contributions (OV, direct path).
#![allow(non_snake_case, reason = "matrices are called what the literature calls them")]

use super::MOST_VALUES;
use algolens_core::{
    Error, Result,
    model::{AttentionDir, Config, Model, Normalization, Positions},
    task::{SortedList, Task},
};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

/// A one-layer attention-only model as tables over rows. A *row* is a token at a position: the unsorted half's come
/// first (position by position, token by token), then SEP, then the sorted half's.
///
/// For a destination row, logit t is `(B_t + Σ_h N_h,t / D_h) / σ + β_t` where `N_h,t = Σ_r e_h(r) G_h[r, t]`,
/// `D_h = Σ_r e_h(r)` and σ is the final norm's scale of this input.
#[derive(Clone, Debug)]
pub struct Tables {
    list_len: usize,
    values: usize,
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
}

impl Tables {
    /// The most numbers the tables may have (1 GiB).
    const MOST: usize = 1 << 27;

    /// The tables of a model of `task`.
    ///
    /// # Errors
    /// A model of another form: more than one layer, an MLP, bidirectional attention; sizes that do not fit the task;
    /// lists of more than [`MOST_VALUES`] values; weights that are not finite.
    pub fn of(model: &Model, task: &SortedList) -> Result<Self> {
        check(model.config(), task)?;
        if let Some((name, _)) = model.params.tensors().find(|(_, tensor)| tensor.iter().any(|x| !x.is_finite())) {
            return Err(Error::invalid(name, "finite numbers", "NaN or infinity"));
        }
        let model = model.cast::<f64>();
        let (config, layout) = (model.config(), model.params.layout().clone());
        let (list_len, values) = (task.list_len(), task.max_value() as usize + 1);
        let block = &layout.blocks[0];
        let W_E = model.params.get(layout.W_E);
        let W_pos = model.params.get_or_zeros(layout.W_pos, [config.n_ctx, config.d_model]);
        let rows = 2 * list_len * values + 1;
        let position_and_token = |row: usize| match row.checked_sub(list_len * values) {
            None => (row / values, row % values),
            Some(0) => (list_len, values),
            Some(after) => (list_len + 1 + (after - 1) / values, (after - 1) % values),
        };
        // The last sorted value is at position 2 · list_len, which a context may lack: no prediction attends to it.
        let position = |row| position_and_token(row).0.min(config.n_ctx - 1);
        let pick = |matrix: ArrayView2<f64>, index: &dyn Fn(usize) -> usize| {
            Array2::from_shape_fn((rows, config.d_model), |(row, i)| matrix[[index(row), i]])
        };
        let (tokens, positions) = (pick(W_E, &|row| position_and_token(row).1), pick(W_pos.view(), &position));
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
        Ok(Self {
            list_len,
            values,
            queries: heads
                .clone()
                .map(|head| project(&attending, W_Q, b_Q.view(), head) * config.attn_scale(0))
                .collect(),
            keys: heads.map(|head| project(&attending, W_K, b_K.view(), head)).collect(),
            G: outputs.iter().map(|outputs| outputs.dot(&unembed)).collect(),
            B: direct.dot(&unembed),
            outputs: outputs.iter().map(|outputs| widen(outputs, 0.0)).collect(),
            residual: widen(&direct, (config.eps * config.d_model as f64).sqrt()),
            beta,
            normed: has_norm,
        })
    }

    /// Length of a list.
    pub fn list_len(&self) -> usize {
        self.list_len
    }

    /// Size of the value range.
    pub fn values(&self) -> usize {
        self.values
    }

    /// Number of attention heads.
    pub fn n_heads(&self) -> usize {
        self.G.len()
    }

    /// Number of output tokens, the answers a prediction can give.
    pub fn d_vocab_out(&self) -> usize {
        self.beta.len()
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

/// Checks that a model's form and sizes fit the task and the tables.
fn check(config: &Config, task: &SortedList) -> Result<()> {
    let (list_len, values) = (task.list_len(), task.max_value() as usize + 1);
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
    if let Some(option) = config.beyond_post().next() {
        return refuse("model", "no option beyond those of the post's family, for proofs", option.into());
    }
    if task.bos() {
        return refuse("bos", "lists without BOS, for proofs", "lists behind it".into());
    }
    if list_len > MOST_VALUES {
        return refuse("list_len", &format!("at most {MOST_VALUES}, for proofs"), list_len.to_string());
    }
    if config.d_vocab < values + 1 || config.d_vocab_out < values || config.n_ctx < 2 * list_len {
        let expected = format!("a model of lists of {list_len} values up to {}", task.max_value());
        let found = format!("d_vocab {}, d_vocab_out {}, n_ctx {}", config.d_vocab, config.d_vocab_out, config.n_ctx);
        return refuse("model", &expected, found);
    }
    let width = config.d_model + config.d_vocab_out + 2 * config.d_head + 1;
    let numbers = task.n_ctx().saturating_mul(values).saturating_mul((config.n_heads + 1).saturating_mul(width));
    if numbers > Tables::MOST {
        return refuse("model", &format!("tables of at most {} numbers", Tables::MOST), numbers.to_string());
    }
    Ok(())
}
