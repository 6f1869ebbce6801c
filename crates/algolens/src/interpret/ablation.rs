//! What breaks when a part of the model is replaced by its mean, by zero, or by what it does on other data.

use super::{
    Head, Subject,
    evaluation::{Evaluation, Tally},
    prediction::{Prediction, predictions},
};
use crate::{
    Error, Result,
    engine::hooks::{BlockPoint, Filter, HookPoint, Hooks},
    task::{Dataset, Token},
};
use ndarray::{Array3, ArrayView2, ArrayViewMutD, Axis, Ix3, Ix4, s};
use serde::{Deserialize, Serialize};

/// A part of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What a head adds to the residual stream (`hook_result`).
    Head(Head),
    /// The token embedding on its way straight to the unembedding; attention and MLPs still read it.
    DirectPath,
    /// The positional embedding, for everything that reads it. Its mean is over positions (over a batch it is
    /// constant); resampled, positions are taken in reverse order.
    PosEmbed,
}

/// What a part is replaced by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Its mean over the data, position by position.
    #[default]
    Mean,
    /// Zero.
    Zero,
    /// What it is on other data, list by list.
    Resample,
}

/// An ablation. The default replaces nothing yet, by means, everywhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ablation {
    /// What is replaced, all at once.
    pub parts: Vec<Part>,
    /// By what.
    pub method: Method,
    /// The positions at which it is replaced; all if none is given.
    pub positions: Option<Vec<usize>>,
    /// Whether the final norm keeps the scale of the unablated run, instead of computing it again.
    pub frozen_scale: bool,
}

/// What an ablation did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ablated {
    /// The ablation.
    pub ablation: Ablation,
    /// The model's evaluation without what was ablated.
    pub evaluation: Evaluation,
    /// Mean cross-entropy after less before, in nats.
    pub loss_increase: f64,
    /// What became of the chosen lists.
    pub chosen: Vec<Prediction>,
}

/// Ablates parts of a model and evaluates what is left on `data`. Means are taken over `data`; `other` is what parts are
/// resampled from; `chosen` lists are run with the same replacements.
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
    check(subject, ablation, data)?;
    let replacements = ablation
        .parts
        .iter()
        .map(|part| Replacement::of(subject, *part, ablation, data, other))
        .collect::<Result<Vec<_>>>()?;
    let evaluate = |replacements: &[Replacement]| -> Result<Evaluation> {
        let mut tally = Tally::default();
        tally.add(run(subject, ablation, replacements, data)?.view(), data);
        tally.evaluation()
    };
    let evaluation = evaluate(&replacements)?;
    let loss_increase = evaluation.loss - evaluate(&[])?.loss;
    let chosen = match chosen {
        None => Vec::new(),
        Some(lists) => predictions(run(subject, ablation, &replacements, lists)?.view(), lists),
    };
    Ok(Ablated { ablation: ablation.clone(), evaluation, loss_increase, chosen })
}

fn check(subject: Subject, ablation: &Ablation, data: &Dataset) -> Result<()> {
    let config = subject.model.config();
    if ablation.parts.is_empty() {
        return Err(Error::invalid("ablation", "at least one part", 0));
    }
    for (at, part) in ablation.parts.iter().enumerate() {
        if let Part::Head(head) = part {
            head.check(config)?;
        }
        if ablation.parts[..at].contains(part) {
            return Err(Error::invalid("ablation", "distinct parts", format!("{part:?} twice")));
        }
    }
    if let Some(position) = ablation.positions.iter().flatten().find(|p| **p >= data.tokens().ncols()) {
        return Err(Error::invalid("position", format!("below {}", data.tokens().ncols()), position));
    }
    if ablation.frozen_scale && !config.has_norms() {
        return Err(Error::invalid("frozen scale", "a model with a final norm", "none"));
    }
    Ok(())
}

/// Logits at the predicted positions, with replacements.
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

/// What a part is replaced by: `values [list, pos, d_model]`; list i of a batch gets list i modulo their number.
struct Replacement<'a> {
    subject: Subject<'a>,
    part: Part,
    positions: Vec<usize>,
    values: Array3<f32>,
}

impl<'a> Replacement<'a> {
    fn of(subject: Subject<'a>, part: Part, ablation: &Ablation, data: &Dataset, other: &Dataset) -> Result<Self> {
        let seq = data.tokens().ncols();
        let values = match (ablation.method, part) {
            (Method::Zero, _) => Array3::zeros((1, seq, subject.model.config().d_model)),
            (Method::Mean, Part::PosEmbed) => {
                let all = values_on(subject, part, data)?;
                let mean = mean(&all, Axis(1))?;
                mean.broadcast(all.dim()).expect("a mean broadcasts over what it was taken over").to_owned()
            }
            (Method::Mean, _) => mean(&values_on(subject, part, data)?, Axis(0))?,
            (Method::Resample, Part::PosEmbed) => {
                let mut values = values_on(subject, part, data)?;
                values.invert_axis(Axis(1));
                values
            }
            (Method::Resample, _) => values_on(subject, part, other)?,
        };
        let positions = ablation.positions.clone().unwrap_or_else(|| (0..seq).collect());
        Ok(Self { subject, part, positions, values })
    }

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

    /// Calls `replace(activation[list, position], list, position, value)` wherever something is replaced.
    fn each(
        &self,
        activation: &mut ArrayViewMutD<f32>,
        mut replace: impl FnMut(ArrayViewMutD<f32>, usize, usize, ndarray::ArrayView1<f32>),
    ) {
        for (list, mut of_list) in activation.outer_iter_mut().enumerate() {
            for &position in &self.positions {
                let value = self.values.slice(s![list % self.values.dim().0, position, ..]);
                replace(of_list.index_axis_mut(Axis(0), position), list, position, value);
            }
        }
    }
}

/// The mean over an axis, which stays with length 1.
fn mean(values: &Array3<f32>, over: Axis) -> Result<Array3<f32>> {
    let mean = values.mean_axis(over).ok_or_else(|| Error::invalid("dataset", "at least one example", 0))?;
    Ok(mean.insert_axis(over))
}

/// What a part adds to the residual stream on data, `[list, pos, d_model]`.
fn values_on(subject: Subject, part: Part, data: &Dataset) -> Result<Array3<f32>> {
    let record = |point: HookPoint| {
        let name = point.to_string();
        let (_, cache) = subject.engine.run_with_cache(subject.model, data.tokens(), Filter::Names(&[&name]))?;
        Ok((name, cache))
    };
    match part {
        Part::Head(Head { layer, head }) => {
            let (name, cache) = record(HookPoint::Block(layer, BlockPoint::Result))?;
            Ok(cache.get::<Ix4>(&name)?.index_axis(Axis(2), head).to_owned())
        }
        Part::DirectPath => record(HookPoint::Embed).and_then(|(name, cache)| Ok(cache.get::<Ix3>(&name)?.to_owned())),
        Part::PosEmbed => record(HookPoint::PosEmbed).and_then(|(name, cache)| Ok(cache.get::<Ix3>(&name)?.to_owned())),
    }
}
