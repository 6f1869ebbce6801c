//! Ablation of a part of the model: its activation replaced by its mean, by zero, or resampled from other data.

use super::{
    Head, Subject,
    prediction::{Prediction, predictions},
};
use algolens_core::{
    Error, Result,
    engine::{
        check_batch,
        hooks::{BlockPoint, Filter, HookPoint, Hooks},
        loss,
    },
    evaluation::{Evaluation, Tally, evaluate},
    task::{Dataset, Token},
};
use ndarray::{Array3, ArrayView2, ArrayViewMutD, Axis, Ix3, Ix4, s};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A part of the model that an ablation replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// A head's output, which it adds to the residual stream (`hook_result`).
    Head(Head),
    /// The token embedding on its way straight to the unembedding; attention and MLPs still read it.
    DirectPath,
    /// The positional embedding, for everything that reads it. Its mean is over positions (over a batch it is
    /// constant); resampled, positions are taken in reverse order.
    PosEmbed,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Head(head) => write!(f, "head {head}"),
            Self::DirectPath => f.write_str("the direct path"),
            Self::PosEmbed => f.write_str("the positional embedding"),
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
    /// The positions at which they are replaced; all if none is given.
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

/// Ablates parts of a model and evaluates it on `data`. Means are taken over `data`; parts are resampled from `other`;
/// `chosen` lists are run with the same replacements.
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
    for lists in [Some(data), Some(other), chosen].into_iter().flatten() {
        check_batch(subject.model, lists.into())?;
    }
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
    let means =
        ablation.parts.iter().map(|part| mean(subject, *part, ablation.method, data)).collect::<Result<Vec<_>>>()?;
    let replacements = |other: &Dataset| -> Result<Vec<Replacement>> {
        let parts = ablation.parts.iter().zip(&means);
        parts.map(|(part, mean)| Replacement::new(subject, *part, ablation, mean.as_ref(), other)).collect()
    };
    let mut after = Tally::default();
    for (at, lists) in data.chunks(CHUNK).enumerate() {
        let others: Vec<usize> = (0..lists.len()).map(|list| (at * CHUNK + list) % other.len()).collect();
        let replacements = replacements(&other.select(&others))?;
        let logits = run(subject, ablation, &replacements, &lists)?;
        after.add(&loss::outcomes(logits.view(), lists.targets()), lists.positions().len());
    }
    let chosen = match chosen {
        None => Vec::new(),
        Some(lists) => {
            let others: Vec<usize> = (0..lists.len()).map(|list| list % other.len()).collect();
            let replacements = replacements(&other.select(&others))?;
            predictions(run(subject, ablation, &replacements, lists)?.view(), lists)?
        }
    };
    let evaluation = after.evaluation()?;
    let loss_increase = evaluation.loss - loss_before;
    Ok(Ablated { ablation: ablation.clone(), evaluation, loss_increase, chosen })
}

/// Lists a run, so that memory does not grow with the data.
const CHUNK: usize = 512;

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
        return Err(Error::invalid("ablation", "a part (a head, the direct path, the positional embedding)", "none"));
    }
    for (at, part) in ablation.parts.iter().enumerate() {
        if let Part::Head(head) = part {
            head.check(config)?;
        }
        if ablation.parts[..at].contains(part) {
            return Err(Error::invalid("ablation", "distinct parts", format!("{part} twice")));
        }
    }
    if let Some(position) = ablation.positions.iter().flatten().find(|p| **p >= data.tokens().ncols()) {
        return Err(Error::invalid("position", format!("below {}", data.tokens().ncols()), position));
    }
    let mut positions = ablation.positions.clone().unwrap_or_default();
    positions.sort_unstable();
    if let Some(pair) = positions.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid("positions", "distinct ones", format!("{} twice", pair[0])));
    }
    for other in [Some(other), chosen].into_iter().flatten() {
        if other.tokens().ncols() != data.tokens().ncols() {
            let expected = format!("sequences of {} tokens", data.tokens().ncols());
            return Err(Error::invalid("dataset", expected, other.tokens().ncols()));
        }
    }
    if ablation.frozen_scale && !config.has_norms() {
        return Err(Error::invalid("frozen scale", "a model with a final norm", "none"));
    }
    Ok(())
}

/// Logits of the ablated model `[list, predicted position, class]`.
fn run(subject: Subject, ablation: &Ablation, replacements: &[Replacement], data: &Dataset) -> Result<Array3<f32>> {
    let (model, tokens) = (subject.model, data.tokens());
    let mut hooks = Hooks::new(model.config());
    for replacement in replacements {
        replacement.hook(&mut hooks, tokens);
    }
    if ablation.frozen_scale {
        const NAME: &str = "ln_final.hook_scale";
        let (_, cache) = subject.engine.run_with_cache(model, tokens, Filter::Names(&[NAME]))?;
        let scale = cache.activation(NAME)?.to_owned();
        hooks.add(NAME, move |activation| {
            activation.assign(&scale);
            Ok(())
        })?;
    }
    let logits = subject.engine.run_with_hooks(model, tokens, &mut hooks)?;
    Ok(logits.select(Axis(1), data.positions()))
}

/// The replacement of one part: `values [list, pos, d_model]`, of which list i of a batch gets list i modulo their number.
struct Replacement<'a> {
    subject: Subject<'a>,
    part: Part,
    positions: Vec<usize>,
    values: Array3<f32>,
}

impl<'a> Replacement<'a> {
    fn new(
        subject: Subject<'a>,
        part: Part,
        ablation: &Ablation,
        mean: Option<&Array3<f32>>,
        other: &Dataset,
    ) -> Result<Self> {
        let seq = other.tokens().ncols();
        let values = match (mean, ablation.method, part) {
            (Some(mean), ..) => mean.clone(),
            (None, Method::Zero, _) => Array3::zeros((1, seq, subject.model.config().d_model)),
            (None, _, Part::PosEmbed) => {
                let mut values = values_on(subject, part, &other.select(&[0]))?;
                values.invert_axis(Axis(1));
                values
            }
            (None, ..) => values_on(subject, part, other)?,
        };
        let positions = ablation.positions.clone().unwrap_or_else(|| (0..seq).collect());
        Ok(Self { subject, part, positions, values })
    }

    /// Adds the hook that replaces the part.
    fn hook(&'a self, hooks: &mut Hooks<'a, f32>, tokens: ArrayView2<'a, Token>) {
        match self.part {
            Part::Head(Head { layer, head }) => {
                hooks.add_at(HookPoint::Block(layer, BlockPoint::Result), move |result| {
                    self.each(result, |mut heads, _, _, value| heads.index_axis_mut(Axis(0), head).assign(&value));
                    Ok(())
                });
            }
            Part::PosEmbed => {
                hooks.add_at(HookPoint::PosEmbed, move |pos_embed| {
                    self.each(pos_embed, |mut vector, _, _, value| vector.assign(&value));
                    Ok(())
                });
            }
            Part::DirectPath => {
                let last = self.subject.model.config().n_layers - 1;
                let params = &self.subject.model.params;
                let w_e = params.get(params.layout().W_E);
                hooks.add_at(HookPoint::Block(last, BlockPoint::ResidPost), move |resid| {
                    self.each(resid, |mut vector, list, position, value| {
                        vector += &value;
                        vector -= &w_e.row(tokens[[list, position]] as usize);
                    });
                    Ok(())
                });
            }
        }
    }

    /// Calls `replace(activation[list, position], list, position, value)` for every list and replaced position.
    fn each(
        &self,
        activation: &mut ArrayViewMutD<f32>,
        mut replace: impl FnMut(ArrayViewMutD<f32>, usize, usize, ndarray::ArrayView1<f32>),
    ) {
        for (list, mut activation) in activation.outer_iter_mut().enumerate() {
            for &position in &self.positions {
                let value = self.values.slice(s![list % self.values.dim().0, position, ..]);
                replace(activation.index_axis_mut(Axis(0), position), list, position, value);
            }
        }
    }
}

/// The mean activation of a part over data, `[1, pos, d_model]`, for mean ablation only: over lists, or over positions for the
/// positional embedding.
fn mean(subject: Subject, part: Part, method: Method, data: &Dataset) -> Result<Option<Array3<f32>>> {
    if method != Method::Mean {
        return Ok(None);
    }
    let (seq, d_model) = (data.tokens().ncols(), subject.model.config().d_model);
    let mut sum = Array3::<f64>::zeros((1, seq, d_model));
    if part == Part::PosEmbed {
        let values = values_on(subject, part, &data.select(&[0]))?.mapv(f64::from);
        sum += &(values.sum_axis(Axis(1)) / seq as f64).insert_axis(Axis(1));
        return Ok(Some(sum.mapv(|value| value as f32)));
    }
    for chunk in data.chunks(CHUNK) {
        let values = values_on(subject, part, &chunk)?.mapv(f64::from);
        sum += &values.sum_axis(Axis(0)).insert_axis(Axis(0));
    }
    Ok(Some(sum.mapv(|value| (value / data.len() as f64) as f32)))
}

/// A part's activation on data, as it is added to the residual stream, `[list, pos, d_model]`.
fn values_on(subject: Subject, part: Part, data: &Dataset) -> Result<Array3<f32>> {
    let point = match part {
        Part::Head(Head { layer, .. }) => HookPoint::Block(layer, BlockPoint::Result),
        Part::DirectPath => HookPoint::Embed,
        Part::PosEmbed => HookPoint::PosEmbed,
    };
    let name = point.to_string();
    let (_, cache) = subject.engine.run_with_cache(subject.model, data.tokens(), Filter::Names(&[&name]))?;
    match part {
        Part::Head(Head { head, .. }) => Ok(cache.get::<Ix4>(&name)?.index_axis(Axis(2), head).to_owned()),
        Part::DirectPath | Part::PosEmbed => Ok(cache.get::<Ix3>(&name)?.to_owned()),
    }
}
