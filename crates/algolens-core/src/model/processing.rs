//! Weight processing: other weights that give the same log-probabilities and are easier to read.
//!
//! The steps are TransformerLens's (`ProcessWeights`, version 3). Which of them are valid depends on the config:
//!
//! | step | changes the model, and is refused, |
//! |---|---|
//! | [`center_writing_weights`](Model::center_writing_weights) | unless every norm takes the mean out: what reads the residual stream sees it |
//! | [`center_unembed`](Model::center_unembed) | where logits are capped |
//! | [`fold_layer_norm`](Model::fold_layer_norm) | in shortformer models with norms: positions join queries and keys after the norm; and of gated MLPs after a norm with a bias |
//! | [`fold_value_biases`](Model::fold_value_biases) | without value biases; and where a query may see nothing: other rows of a pattern sum to 1 |
//!
//! Steps that need a bias that the model does not have add it, and tied embeddings come apart.

use super::{Biases, Config, Model, NormLayout, Normalization, ParamLayout, Params, Positions, Slot};
use crate::{Error, Result, Scalar};
use ndarray::{Array1, ArrayView2, ArrayViewMut2, Axis};
use serde::{Deserialize, Serialize};
use std::{fmt, ops::Range};

/// A step of weight processing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// [`Model::center_writing_weights`].
    CenterWritingWeights,
    /// [`Model::center_unembed`].
    CenterUnembed,
    /// [`Model::fold_layer_norm`].
    FoldLayerNorm,
    /// [`Model::fold_value_biases`].
    FoldValueBiases,
}

impl Step {
    /// Every step, in the order in which [`Model::process`] takes them.
    pub const ALL: [Self; 4] =
        [Self::CenterWritingWeights, Self::CenterUnembed, Self::FoldLayerNorm, Self::FoldValueBiases];

    /// What TransformerLens calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::CenterWritingWeights => "center_writing_weights",
            Self::CenterUnembed => "center_unembed",
            Self::FoldLayerNorm => "fold_layer_norm",
            Self::FoldValueBiases => "fold_value_biases",
        }
    }

    /// Why the step would change what models of this config compute; none where it is valid.
    pub fn refusal(self, config: &Config) -> Option<&'static str> {
        match self {
            Self::CenterWritingWeights => centering_refusal(config),
            Self::CenterUnembed => config
                .output_logits_soft_cap
                .map(|_| "capped logits do not keep their differences when all are shifted"),
            Self::FoldLayerNorm => folding_refusal(config),
            Self::FoldValueBiases if !config.biases.b_QKV => Some("there are no value biases"),
            Self::FoldValueBiases if config.pad_token.is_some() && config.masked_score.is_none() => {
                Some("a query that sees nothing but padding attends to nothing, and its pattern does not sum to 1")
            }
            Self::FoldValueBiases => None,
        }
    }

    /// Whether [`Model::process`] takes the step: it is valid, and there is something to do.
    fn applies(self, config: &Config) -> bool {
        self.refusal(config).is_none() && (self != Self::FoldLayerNorm || config.has_any_norm())
    }

    fn check(self, config: &Config) -> Result<()> {
        self.refusal(config).map_or(Ok(()), |why| Err(Error::Refused { step: self.name(), why }))
    }
}

fn centering_refusal(config: &Config) -> Option<&'static str> {
    let every_norm = |holds: fn(Normalization) -> bool| config.norms().into_iter().all(holds);
    if config.norms().contains(&Normalization::None) {
        Some("without norms, the mean of the residual stream is read like any other direction")
    } else if !every_norm(Normalization::centers) {
        Some("root-mean-square norms leave the mean of the residual stream, and it is read like any other direction")
    } else {
        None
    }
}

fn folding_refusal(config: &Config) -> Option<&'static str> {
    let gated = config.mlp.is_some_and(|mlp| mlp.gated);
    if config.has_norms() && config.positional_embedding_type == Positions::Shortformer {
        Some("shortformer positions are added to queries' and keys' inputs after the norm")
    } else if gated && config.biases.norm && config.normalization_type == Normalization::LN {
        Some("a gate has no bias that could take that of the norm before it")
    } else {
        None
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A processed model, and how it came to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Processed<T = f32> {
    /// The model.
    pub model: Model<T>,
    /// The steps taken, in their order. [`Step::refusal`] says why one that could matter is not among them.
    pub applied: Vec<Step>,
}

impl<T: Scalar> Model<T> {
    /// Every step that is valid for the model, in the order of [`Step::ALL`].
    pub fn process(&self) -> Processed<T> {
        let mut applied = Step::ALL.to_vec();
        applied.retain(|step| step.applies(&self.config));
        let model = applied.iter().fold(self.clone(), |model, step| model.take(*step));
        Processed { model, applied }
    }

    /// Takes the mean over `d_model` out of everything that is written to the residual stream: rows of `W_E`, `W_pos`,
    /// `W_O`, `b_O`, `W_out` and `b_out`. Every norm takes it out anyway.
    ///
    /// Shortformer models never write `W_pos` to the residual stream: theirs stays as it is.
    ///
    /// # Errors
    /// [`Error::Refused`] in models without norms, or with one that leaves the mean.
    pub fn center_writing_weights(&self) -> Result<Self> {
        self.checked(Step::CenterWritingWeights)
    }

    /// Takes the mean over classes out of `b_U` and every row of `W_U`, which adds the same to all logits.
    ///
    /// # Errors
    /// [`Error::Refused`] where logits are capped.
    pub fn center_unembed(&self) -> Result<Self> {
        self.checked(Step::CenterUnembed)
    }

    /// Moves the norms' weights and biases into what reads the normalized stream, `W ← w ⊙ W` and `b ← b + b_norm W`
    /// for `W_Q`, `W_K`, `W_V`, `W_gate`, `W_in` and `W_U`, and for `W_out` after `solu_ln`. Where the norm takes the mean
    /// out, takes it out of these as well, which read nothing there. The norms become [`Normalization::LNPre`] or
    /// [`Normalization::RMSPre`].
    ///
    /// An `LNPre` model has no weights to fold, only readers to centre (`W_U` among them, which TransformerLens leaves);
    /// one without norms comes back as it is.
    ///
    /// # Errors
    /// [`Error::Refused`] in shortformer models with norms, and of gated MLPs after a norm with a bias.
    pub fn fold_layer_norm(&self) -> Result<Self> {
        self.checked(Step::FoldLayerNorm)
    }

    /// Moves what value biases add to the residual stream, whatever the attention pattern, into `b_O`:
    /// `b_O ← b_O + Σ over heads of b_V W_O`, `b_V ← 0`.
    ///
    /// # Errors
    /// [`Error::Refused`] without value biases, and where a query may see nothing but padding.
    pub fn fold_value_biases(&self) -> Result<Self> {
        self.checked(Step::FoldValueBiases)
    }

    fn checked(&self, step: Step) -> Result<Self> {
        step.check(&self.config)?;
        Ok(self.clone().take(step))
    }

    /// The model after a step that is valid for it.
    fn take(self, step: Step) -> Self {
        let mut model = self.untied();
        let layout = model.params.layout().clone();
        match step {
            Step::CenterWritingWeights => {
                let writers = writers(&layout, model.config.positional_embedding_type);
                center_rows(&mut model.params, &writers, model.config.d_model);
            }
            Step::CenterUnembed => {
                let tensors = [layout.W_U.map(|w_u| w_u.range()), layout.b_U.map(|b_u| b_u.range())];
                let tensors: Vec<_> = tensors.into_iter().flatten().collect();
                center_rows(&mut model.params, &tensors, model.config.d_vocab_out);
            }
            Step::FoldLayerNorm => model = model.without_norm_weights(),
            Step::FoldValueBiases => model = model.without_value_biases(),
        }
        model
    }

    /// The same model with an unembedding of its own.
    fn untied(self) -> Self {
        if !self.config.tie_word_embeddings {
            return self;
        }
        let mut model = self.with_config(Config { tie_word_embeddings: false, ..self.config.clone() });
        model.params.unembedding_mut().assign(&self.params.unembedding());
        model
    }

    /// A model of another config with the weights of this one, name by name, and zeros where it has none.
    fn with_config(&self, config: Config) -> Self {
        let mut params = Params::zeros(&config);
        let (from, to) = (self.params.layout().clone(), params.layout().clone());
        for named in to.names() {
            if let Some(same) = from.names().iter().find(|other| other.name == named.name) {
                params.values_mut()[named.range()].copy_from_slice(&self.params.values()[same.range()]);
            }
        }
        Self { config, params }
    }

    fn without_norm_weights(self) -> Self {
        let before = self.params.layout().clone();
        let mut after = self.with_config(self.config.folded());
        let to = after.params.layout().clone();
        let (params, config) = (&self.params, &self.config);
        let [block_norm, last_norm] = [config.normalization_type, config.final_normalization()];
        for (from, to) in before.blocks.iter().zip(&to.blocks) {
            let ln1 = Norm::of(params, from.ln1, block_norm);
            for (kind, w) in to.W_QKV.into_iter().enumerate() {
                let b = to.b_QKV.map(|biases| biases[kind]);
                let [heads, ..] = w.shape;
                for head in 0..heads {
                    let b = b.map(|b| part(b.range(), head, heads));
                    ln1.fold(&mut after.params, part(w.range(), head, heads), config.d_model, b);
                }
            }
            let (Some(from), Some(to), Some(mlp)) = (&from.mlp, &to.mlp, config.mlp) else { continue };
            let ln2 = Norm::of(params, from.ln2, block_norm);
            let hidden = Norm::of(params, from.ln, config.mlp_normalization());
            let b_in = to.b_in.map(|b| b.range());
            if let Some(w_gate) = to.W_gate {
                ln2.fold(&mut after.params, w_gate.range(), config.d_model, None);
            }
            ln2.fold(&mut after.params, to.W_in.range(), config.d_model, b_in.filter(|_| !mlp.gated));
            hidden.fold(&mut after.params, to.W_out.range(), mlp.d_mlp, to.b_out.map(|b| b.range()));
        }
        if let Some(w_u) = to.W_U {
            let last = Norm::of(params, before.ln_final, last_norm);
            last.fold(&mut after.params, w_u.range(), config.d_model, to.b_U.map(|b| b.range()));
        }
        after
    }

    fn without_value_biases(self) -> Self {
        let biases = Biases { b_O: true, ..self.config.biases };
        let mut model = self.with_config(Config { biases, ..self.config.clone() });
        for block in &model.params.layout().clone().blocks {
            let (Some([_, _, b_v]), Some(b_o)) = (block.b_QKV, block.b_O) else { continue };
            let heads = 0..model.config.n_heads;
            let values: Array1<T> =
                heads.flat_map(|head| model.params.get(b_v).row(model.config.key_value_head(head)).to_vec()).collect();
            let moved = values.dot(&matrix(&model.params, block.W_O, model.config.d_model));
            let mut b_o = model.params.get_mut(b_o);
            b_o += &moved;
            model.params.get_mut(b_v).fill(T::zero());
        }
        model
    }
}

impl Config {
    /// The norms that read the residual stream.
    fn norms(&self) -> Vec<Normalization> {
        let blocks = (self.n_layers > 0).then_some(self.normalization_type);
        blocks.into_iter().chain([self.final_normalization()]).collect()
    }

    /// Whether there is any norm.
    fn has_any_norm(&self) -> bool {
        let norms = self.norms().into_iter().chain([self.mlp_normalization()]);
        norms.into_iter().any(|norm| norm != Normalization::None)
    }

    /// The config of a model whose norms have been folded into what reads them, with the biases that this takes.
    fn folded(&self) -> Self {
        let has_bias = |norm| norm == Normalization::LN && self.biases.norm;
        let block = has_bias(self.normalization_type);
        let biases = Biases {
            b_QKV: self.biases.b_QKV || block,
            b_in: self.biases.b_in || block,
            b_out: self.biases.b_out || has_bias(self.mlp_normalization()),
            b_U: self.biases.b_U || has_bias(self.final_normalization()),
            ..self.biases
        };
        Self {
            normalization_type: self.normalization_type.folded(),
            final_normalization_type: self.final_normalization_type.map(Normalization::folded),
            biases,
            ..self.clone()
        }
    }
}

/// The tensors whose rows are added to the residual stream.
fn writers(layout: &ParamLayout, positions: Positions) -> Vec<Range<usize>> {
    let embeddings = [Some(layout.W_E), layout.W_pos.filter(|_| positions == Positions::Standard)];
    let mut writers: Vec<_> = embeddings.into_iter().flatten().map(|slot| slot.range()).collect();
    for block in &layout.blocks {
        writers.push(block.W_O.range());
        writers.extend(block.b_O.map(|b| b.range()));
        if let Some(mlp) = &block.mlp {
            writers.push(mlp.W_out.range());
            writers.extend(mlp.b_out.map(|b| b.range()));
        }
    }
    writers
}

/// Takes its mean out of every row of these tensors.
fn center_rows<T: Scalar>(params: &mut Params<T>, tensors: &[Range<usize>], width: usize) {
    for tensor in tensors {
        for row in params.values_mut()[tensor.clone()].chunks_exact_mut(width) {
            let mean = row.iter().copied().sum::<T>() / T::of(width as f64);
            row.iter_mut().for_each(|x| *x -= mean);
        }
    }
}

/// The `index`th of `parts` equal parts of a range.
fn part(range: Range<usize>, index: usize, parts: usize) -> Range<usize> {
    let len = range.len() / parts;
    range.start + index * len..range.start + (index + 1) * len
}

/// A tensor whose last dimension is `width`, as rows of it.
fn matrix<T: Scalar, const D: usize>(params: &Params<T>, slot: Slot<D>, width: usize) -> ArrayView2<'_, T> {
    let values = &params.values()[slot.range()];
    ArrayView2::from_shape((values.len() / width, width), values).expect("a tensor is whole rows")
}

/// A norm's weight and bias, as far as it has them, and whether it takes the mean out.
struct Norm<T> {
    weight: Option<Array1<T>>,
    bias: Option<Array1<T>>,
    centers: bool,
}

impl<T: Scalar> Norm<T> {
    fn of(params: &Params<T>, norm: Option<NormLayout>, kind: Normalization) -> Self {
        let own = |slot: Slot<1>| params.get(slot).to_owned();
        let bias = norm.and_then(|norm| norm.b);
        Self { weight: norm.map(|norm| own(norm.w)), bias: bias.map(own), centers: kind.centers() }
    }

    /// Folds the norm into `weight [width, out]` and `bias [out]`, and takes the mean over `width` out of the weight.
    fn fold(&self, params: &mut Params<T>, weight: Range<usize>, width: usize, bias: Option<Range<usize>>) {
        let out = weight.len() / width;
        let values = params.values_mut();
        if let (Some(b), Some(bias)) = (&self.bias, bias) {
            let weight = ArrayView2::from_shape((width, out), &values[weight.clone()]).expect("rows of `out`");
            let moved = b.dot(&weight);
            values[bias].iter_mut().zip(&moved).for_each(|(bias, moved)| *bias += *moved);
        }
        let mut weight = ArrayViewMut2::from_shape((width, out), &mut values[weight]).expect("rows of `out`");
        if let Some(w) = &self.weight {
            weight *= &w.view().insert_axis(Axis(1));
        }
        if self.centers {
            let mean = weight.sum_axis(Axis(0)) / T::of(width as f64);
            weight -= &mean;
        }
    }
}
