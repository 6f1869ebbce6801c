//! Ablation of a part of the model: its activation replaced by its mean, by zero, or resampled from other data.

use super::{
    Head, Site, Subject,
    intervene::{Intervention, Replacement},
    prediction::{Prediction, predictions},
    runner::Runner,
};
use algolens_core::{
    Error, Result,
    engine::{
        check_batch,
        hooks::{BlockPoint, Filter, HookPoint},
        loss,
    },
    evaluation::{Evaluation, Tally, evaluate},
    model::{Config, Model},
    task::Dataset,
};
use ndarray::{Array2, ArrayView3, Axis, s};
use serde::{Deserialize, Serialize};
use std::{fmt, slice};

/// A part of the model that an ablation replaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A head's output, which it adds to the residual stream (`hook_result`).
    Head(Head),
    /// The output of this block's MLP, which it adds to the residual stream (`hook_mlp_out`).
    Mlp(usize),
    /// The token embedding on its way straight to the unembedding; attention and MLPs still read it.
    DirectPath,
    /// The positional embedding, for everything that reads it. Its mean is over positions (over a batch it is
    /// constant); resampled, positions are taken in reverse order.
    PosEmbed,
    /// Any activation, or one head's part of it.
    Point {
        /// The hook point, and the head if it is one's.
        at: Site,
        /// The positions at which it is replaced (of scores and patterns: queries); those of the ablation if none are given.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        positions: Option<Vec<usize>>,
    },
}

impl Part {
    /// Where its activation is.
    fn site(&self) -> Site {
        match self {
            Self::Head(head) => (*head).into(),
            Self::Mlp(layer) => HookPoint::Block(*layer, BlockPoint::MlpOut).into(),
            Self::DirectPath => HookPoint::Embed.into(),
            Self::PosEmbed => HookPoint::PosEmbed.into(),
            Self::Point { at, .. } => *at,
        }
    }

    /// Checks that a model has the part.
    fn check(&self, config: &Config) -> Result<()> {
        match self {
            Self::Head(head) => head.check(config),
            Self::Mlp(_) if config.attn_only() => Err(Error::invalid("MLP", "a model that has MLPs", "none")),
            Self::Mlp(layer) if *layer >= config.n_layers => {
                Err(Error::invalid("MLP", format!("that of a block below {}", config.n_layers), layer))
            }
            Self::Mlp(_) | Self::DirectPath | Self::PosEmbed => Ok(()),
            Self::Point { at, .. } => at.check(config),
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => write!(f, "head {head}"),
            Self::Mlp(layer) => write!(f, "MLP {layer}"),
            Self::DirectPath => f.write_str("the direct path"),
            Self::PosEmbed => f.write_str("the positional embedding"),
            Self::Point { at, positions: None } => at.fmt(f),
            Self::Point { at, positions: Some(positions) } => write!(f, "{at} at {positions:?}"),
        }
    }
}

/// Ablation method: what a part's activation is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Mean ablation: the mean over the data, position by position.
    #[default]
    Mean,
    /// Zero ablation.
    Zero,
    /// Resample ablation: the activation on other data, list by list.
    Resample,
}

/// An ablation: which parts are replaced by what, and where. The default has no parts, and would replace them by their means
/// at every position.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// The parts, all replaced in the same run.
    pub parts: Vec<Part>,
    /// What each is replaced by.
    pub method: Method,
    /// The positions at which parts without positions of their own are replaced; all if none is given.
    pub positions: Option<Vec<usize>>,
    /// True if the final norm keeps the scale of the unablated run instead of computing it again.
    pub frozen_scale: bool,
}

/// The result of an ablation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablated {
    /// The ablation.
    pub ablation: Ablation,
    /// The evaluation of the ablated model.
    pub evaluation: Evaluation,
    /// Mean cross-entropy of the ablated model less that of the whole one, in nats.
    pub loss_increase: f64,
    /// The ablated model's predictions for the chosen lists.
    pub chosen: Vec<Prediction>,
}

impl Ablation {
    /// The interventions that make it: means are taken over `data`, and parts are resampled from `other`.
    pub(super) fn interventions<'a>(
        &self,
        model: &Model,
        data: &'a Dataset,
        other: &'a Dataset,
    ) -> Vec<Intervention<'a>> {
        let last = HookPoint::Block(model.config().n_layers - 1, BlockPoint::ResidPost);
        let intervention = |part: &Part| Intervention {
            at: part.site(),
            to: (*part == Part::DirectPath).then_some(last.into()),
            positions: match part {
                Part::Point { positions: Some(positions), .. } => Some(positions.clone()),
                _ => self.positions.clone(),
            },
            value: match (self.method, part) {
                (Method::Zero, _) => Replacement::Zero,
                (method, Part::PosEmbed) => {
                    Replacement::Keep(pos_embed(model, method, data.tokens().ncols()).into_dyn())
                }
                (Method::Mean, _) => Replacement::Mean(data.tokens()),
                (Method::Resample, _) => Replacement::Resample(other.tokens()),
            },
        };
        self.parts.iter().map(intervention).collect()
    }
}

/// What positions are embedded as, `[pos, d_model]`, instead of W_pos: all as its mean, or in reverse order.
fn pos_embed(model: &Model, method: Method, seq: usize) -> Array2<f32> {
    let config = model.config();
    let w_pos = model.params.get_or_zeros(model.params.layout().W_pos, [config.n_ctx, config.d_model]);
    let w_pos = w_pos.slice(s![..seq, ..]);
    if method == Method::Resample {
        return w_pos.slice(s![..;-1, ..]).to_owned();
    }
    let mean = (w_pos.mapv(f64::from).sum_axis(Axis(0)) / seq as f64).mapv(|mean| mean as f32);
    Array2::from_shape_fn(w_pos.dim(), |(_, i)| mean[i])
}

/// Ablates parts of a model and evaluates it on `data`. Means are taken over `data`; parts are resampled from `other`, for
/// example i from number i, modulo how many there are; `chosen` lists are run with the same replacements.
///
/// # Errors
/// Parts or positions that the model does not have, a frozen scale in a model without norms, or empty data.
pub fn ablate(
    subject: Subject,
    ablation: &Ablation,
    data: &Dataset,
    other: &Dataset,
    chosen: Option<&Dataset>,
) -> Result<Ablated> {
    check(subject, ablation, data, other, chosen)?;
    let before = evaluate(subject.engine, subject.model, data)?;
    ablate_from(subject, before.loss, ablation, data, other, chosen)
}

/// [`ablate`] without its checks, for a known loss of the unablated model on `data`.
pub(super) fn ablate_from(
    subject: Subject,
    loss_before: f64,
    ablation: &Ablation,
    data: &Dataset,
    other: &Dataset,
    chosen: Option<&Dataset>,
) -> Result<Ablated> {
    let mut ablated = ablate_each(subject, loss_before, slice::from_ref(ablation), data, other, chosen)?;
    Ok(ablated.swap_remove(0))
}

/// What is done with the logits of one of several ablations on some lists.
type EachChunk<'e> = dyn FnMut(usize, ArrayView3<f32>, &Dataset) -> Result<()> + 'e;

/// [`ablate_from`] for several ablations, which share what they are replaced by.
pub(super) fn ablate_each<'a>(
    subject: Subject,
    loss_before: f64,
    ablations: &[Ablation],
    data: &'a Dataset,
    other: &'a Dataset,
    chosen: Option<&'a Dataset>,
) -> Result<Vec<Ablated>> {
    let runner = Runner::new(subject);
    let sets: Vec<_> = ablations.iter().map(|ablation| ablation.interventions(subject.model, data, other)).collect();
    let sets = runner.with_means(&sets)?;
    let run = |lists: &'a Dataset, each: &mut EachChunk| {
        let scale = || Intervention::new(HookPoint::LnFinalScale, Replacement::Resample(lists.tokens()));
        let sets = ablations.iter().zip(&sets).map(|(ablation, set)| {
            let scale = ablation.frozen_scale.then(scale);
            set.iter().cloned().chain(scale).collect::<Vec<_>>()
        });
        let sets: Vec<_> = sets.collect();
        runner.run_each(lists.tokens(), lists.positions(), &sets, Filter::Nothing, |set, chunk| {
            each(set, chunk.logits.view(), &chunk.of(lists))
        })
    };
    let mut after: Vec<Tally> = ablations.iter().map(|_| Tally::default()).collect();
    run(data, &mut |set, logits, lists| {
        after[set].add(&loss::outcomes(logits, lists.targets()), lists.positions().len());
        Ok(())
    })?;
    let mut followed: Vec<Vec<Prediction>> = ablations.iter().map(|_| Vec::new()).collect();
    if let Some(chosen) = chosen {
        run(chosen, &mut |set, logits, lists| {
            followed[set].extend(predictions(logits, lists));
            Ok(())
        })?;
    }
    let ablated = |((ablation, after), chosen): ((&Ablation, Tally), Vec<Prediction>)| {
        let evaluation = after.evaluation()?;
        let loss_increase = evaluation.loss - loss_before;
        Ok(Ablated { ablation: ablation.clone(), evaluation, loss_increase, chosen })
    };
    ablations.iter().zip(after).zip(followed).map(ablated).collect()
}

/// Checks that an ablation fits the model and the data.
fn check(
    subject: Subject,
    ablation: &Ablation,
    data: &Dataset,
    other: &Dataset,
    chosen: Option<&Dataset>,
) -> Result<()> {
    let config = subject.model.config();
    if data.is_empty() || other.is_empty() {
        return Err(Error::invalid("dataset", "at least one example", 0));
    }
    if ablation.parts.is_empty() {
        let expected = "a part (a head, an MLP, the direct path, the positional embedding, a hook point)";
        return Err(Error::invalid("ablation", expected, "none"));
    }
    for (at, part) in ablation.parts.iter().enumerate() {
        part.check(config)?;
        if ablation.parts[..at].contains(part) {
            return Err(Error::invalid("ablation", "distinct parts", format!("{part} twice")));
        }
    }
    for lists in [Some(data), Some(other), chosen].into_iter().flatten() {
        check_batch(subject.model, lists.into())?;
        if lists.tokens().ncols() != data.tokens().ncols() {
            let expected = format!("sequences of {} tokens", data.tokens().ncols());
            return Err(Error::invalid("dataset", expected, lists.tokens().ncols()));
        }
    }
    Runner::new(subject).check(data.tokens(), &[ablation.interventions(subject.model, data, other)])?;
    if ablation.frozen_scale && !config.has_norms() {
        return Err(Error::invalid("frozen scale", "a model with a final norm", "none"));
    }
    Ok(())
}
