//! Weight processing: other weights that give the same log-probabilities and are easier to read.
//!
//! The steps are TransformerLens's (`ProcessWeights`, version 3). Which of them are valid depends on the config:
//!
//! | step | changes the model, and is refused, |
//! |---|---|
//! | [`center_writing_weights`](Model::center_writing_weights) | without norms: whatever reads the residual stream sees its mean |
//! | [`center_unembed`](Model::center_unembed) | never |
//! | [`fold_layer_norm`](Model::fold_layer_norm) | in shortformer models with norms: positions join queries and keys after the norm |
//! | [`fold_value_biases`](Model::fold_value_biases) | never: a row of an attention pattern sums to 1 |

use super::{Config, Layout, Model, NormLayout, Normalization, Params, Positions, Slot};
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
        let shortformer = config.positional_embedding_type == Positions::Shortformer;
        match self {
            Self::CenterWritingWeights if !config.has_norms() => {
                Some("without norms, the mean of the residual stream is read like any other direction")
            }
            Self::FoldLayerNorm if config.has_norms() && shortformer => {
                Some("shortformer positions are added to queries' and keys' inputs after the norm")
            }
            _ => None,
        }
    }

    /// Whether [`Model::process`] takes the step: it is valid, and there is something to do.
    fn applies(self, config: &Config) -> bool {
        self.refusal(config).is_none() && (self != Self::FoldLayerNorm || config.has_norms())
    }

    fn check(self, config: &Config) -> Result<()> {
        self.refusal(config).map_or(Ok(()), |why| Err(Error::Refused { step: self.name(), why }))
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
    /// [`Error::Refused`] in models without norms.
    pub fn center_writing_weights(&self) -> Result<Self> {
        self.checked(Step::CenterWritingWeights)
    }

    /// Takes the mean over classes out of `b_U` and every row of `W_U`, which adds the same to all logits.
    ///
    /// # Errors
    /// None: the step is valid for every model.
    pub fn center_unembed(&self) -> Result<Self> {
        self.checked(Step::CenterUnembed)
    }

    /// Moves the norms' weights and biases into what reads the normalized stream, `W ← w ⊙ W` and `b ← b + b_norm W`
    /// for `W_Q`, `W_K`, `W_V`, `W_in` and `W_U`; and takes the mean over `d_model` out of these, which read nothing
    /// there. The norms become [`Normalization::LNPre`].
    ///
    /// An `LNPre` model has no weights to fold, only readers to centre (`W_U` among them, which TransformerLens leaves);
    /// one without norms comes back as it is.
    ///
    /// # Errors
    /// [`Error::Refused`] in shortformer models with norms.
    pub fn fold_layer_norm(&self) -> Result<Self> {
        self.checked(Step::FoldLayerNorm)
    }

    /// Moves what value biases add to the residual stream, whatever the attention pattern, into `b_O`:
    /// `b_O ← b_O + Σ over heads of b_V W_O`, `b_V ← 0`.
    ///
    /// # Errors
    /// None: the step is valid for every model.
    pub fn fold_value_biases(&self) -> Result<Self> {
        self.checked(Step::FoldValueBiases)
    }

    fn checked(&self, step: Step) -> Result<Self> {
        step.check(&self.config)?;
        Ok(self.clone().take(step))
    }

    /// The model after a step that is valid for it.
    fn take(mut self, step: Step) -> Self {
        let layout = self.params.layout().clone();
        match step {
            Step::CenterWritingWeights => {
                let writers = writers(&layout, self.config.positional_embedding_type);
                center_rows(&mut self.params, &writers, self.config.d_model);
            }
            Step::CenterUnembed => {
                let ranges = [layout.W_U.range(), layout.b_U.range()];
                center_rows(&mut self.params, &ranges, self.config.d_vocab_out);
            }
            Step::FoldLayerNorm if self.config.has_norms() => return self.without_norm_weights(),
            Step::FoldLayerNorm => {}
            Step::FoldValueBiases => self.move_value_biases(),
        }
        self
    }

    fn without_norm_weights(self) -> Self {
        let config = Config { normalization_type: Normalization::LNPre, ..self.config };
        let before = self.params;
        let mut after = Params::zeros(&config);
        let (from, to) = (before.layout().clone(), after.layout().clone());
        for named in to.names() {
            let same = from.names().iter().find(|other| other.name == named.name).expect("only norms' weights go");
            after.values_mut()[named.range()].copy_from_slice(&before.values()[same.range()]);
        }
        for (from, to) in from.blocks.iter().zip(&to.blocks) {
            let ln1 = Norm::of(&before, from.ln1);
            for (w, b) in to.W_QKV.into_iter().zip(to.b_QKV) {
                for head in 0..config.n_heads {
                    ln1.fold(&mut after, part(w.range(), head, config.n_heads), part(b.range(), head, config.n_heads));
                }
            }
            if let (Some(from), Some(to)) = (&from.mlp, &to.mlp) {
                Norm::of(&before, from.ln2).fold(&mut after, to.W_in.range(), to.b_in.range());
            }
        }
        Norm::of(&before, from.ln_final).fold(&mut after, to.W_U.range(), to.b_U.range());
        Self { config, params: after }
    }

    fn move_value_biases(&mut self) {
        for block in &self.params.layout().clone().blocks {
            let b_v = block.b_QKV[2];
            let values = Array1::from_iter(self.params.get(b_v).iter().copied());
            let w_o = matrix(&self.params, block.W_O, self.config.d_model);
            let moved = values.dot(&w_o);
            let mut b_o = self.params.get_mut(block.b_O);
            b_o += &moved;
            self.params.get_mut(b_v).fill(T::zero());
        }
    }
}

/// The tensors whose rows are added to the residual stream.
fn writers(layout: &Layout, positions: Positions) -> Vec<Range<usize>> {
    let standard = positions == Positions::Standard;
    let blocks = layout.blocks.iter().flat_map(|block| {
        let mlp = block.mlp.iter().flat_map(|mlp| [mlp.W_out.range(), mlp.b_out.range()]);
        [block.W_O.range(), block.b_O.range()].into_iter().chain(mlp)
    });
    [layout.W_E.range()].into_iter().chain(standard.then(|| layout.W_pos.range())).chain(blocks).collect()
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

/// A norm's weight and bias, each `[d_model]`; none in `LNPre` models.
struct Norm<T>(Option<[Array1<T>; 2]>);

impl<T: Scalar> Norm<T> {
    fn of(params: &Params<T>, norm: Option<NormLayout>) -> Self {
        Self(norm.map(|norm| [norm.w, norm.b].map(|slot| params.get(slot).to_owned())))
    }

    /// Folds the norm into `weight [d_model, out]` and `bias [out]`, and centres the weight over `d_model`.
    fn fold(&self, params: &mut Params<T>, weight: Range<usize>, bias: Range<usize>) {
        let (d_model, out) = (weight.len() / bias.len(), bias.len());
        let values = params.values_mut();
        if let Some([_, b]) = &self.0 {
            let weight = ArrayView2::from_shape((d_model, out), &values[weight.clone()]).expect("rows of `out`");
            let moved = b.dot(&weight);
            values[bias].iter_mut().zip(&moved).for_each(|(bias, moved)| *bias += *moved);
        }
        let mut weight = ArrayViewMut2::from_shape((d_model, out), &mut values[weight]).expect("rows of `out`");
        if let Some([w, _]) = &self.0 {
            weight *= &w.view().insert_axis(Axis(1));
        }
        let mean = weight.sum_axis(Axis(0)) / T::of(d_model as f64);
        weight -= &mean;
    }
}
