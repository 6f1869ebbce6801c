//! The walk over a task's inputs.

use super::{
    enumeration::{Enumeration, Judged},
    judge::margin,
};
use crate::{Answer, Subject};
use algolens_core::{
    Error, Result, Scalar,
    engine::{Batch, Engine, Plain, check_batch, loss},
    model::Model,
    parallel,
    task::{Dataset, Family, Inputs, Target, Task},
};
use ndarray::{Array3, ArrayView1, s};
use std::ops::Range;

/// All inputs of a task, to be run through a model.
pub struct Walk<'a> {
    subject: Subject<'a>,
    task: &'a dyn Task,
    inputs: Inputs<'a>,
    count: u64,
    families: Vec<Family<'a>>,
    /// The model in f64, for what is close.
    exact: (Model<f64>, Plain<f64>),
    slack: f64,
    limit: usize,
}

/// Inputs that are run together.
const BLOCK: u64 = 4096;

impl<'a> Walk<'a> {
    /// The walk of a model of a task: margins within the `slack` (see [`Close`](super::Close)) are run again in f64, and the
    /// first `limit` wrong predictions are listed.
    ///
    /// # Errors
    /// A task whose inputs cannot be counted or have no numbers of 64 bits; a model that is not of the task.
    pub fn new(subject: Subject<'a>, task: &'a dyn Task, slack: f64, limit: usize) -> Result<Self> {
        let uncounted = || Error::invalid("inputs of the task", "ones that can be counted", task.spec());
        let inputs = task.inputs().ok_or_else(uncounted)?;
        let count = u64::try_from(inputs.count()).map_err(|_| Error::TooLarge {
            what: "task",
            most: format!("at most {} inputs", u64::MAX),
            found: inputs.count(),
        })?;
        if !(slack >= 0.0 && slack.is_finite()) {
            return Err(Error::invalid("slack", "a number of 0 or more", slack));
        }
        if count > 0 {
            let first = Dataset::from_inputs(task, &[inputs.get(0)?])?;
            check_batch(subject.model, Batch::from(&first))?;
        }
        let families = task.families();
        let exact = (subject.model.cast(), Plain::new());
        Ok(Self { subject, task, inputs, count, families, exact, slack, limit })
    }

    /// How many inputs there are.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A run that begins with the input of this number, before it.
    pub fn begin(&self, from: u64) -> Enumeration {
        Enumeration::new(self.count, from, self.slack, self.limit, &self.families)
    }

    /// Goes on with a run until `to`, the number of the input after the last.
    ///
    /// # Errors
    /// An input that is not one of the task's, or logits that are not finite. The run is then as it was.
    pub fn go_on(&self, run: &mut Enumeration, to: u64) -> Result<()> {
        let numbers = run.to()..to.min(self.count);
        let starts: Vec<u64> = numbers.clone().step_by(BLOCK as usize).collect();
        let mut blocks: Vec<Result<Enumeration>> = starts.iter().map(|start| Ok(self.begin(*start))).collect();
        parallel::for_each(blocks.iter_mut().zip(&starts).collect(), |(block, start): (&mut Result<_>, &u64)| {
            *block = self.block(*start..numbers.end.min(start + BLOCK));
        });
        let mut all = run.clone();
        for block in blocks {
            all.join(block?)?;
        }
        *run = all;
        Ok(())
    }

    fn block(&self, numbers: Range<u64>) -> Result<Enumeration> {
        let mut block = self.begin(numbers.start);
        let inputs = numbers.map(|number| self.inputs.get(number.into())).collect::<Result<Vec<_>>>()?;
        let data = Dataset::from_inputs(self.task, &inputs)?;
        let logits = self.subject.engine.logits(self.subject.model, data.tokens(), data.positions())?;
        let mut judged = judge(&logits, &data)?;
        self.look_again(&mut block, &data, &mut judged)?;
        let told: Vec<&Family> = self.families.iter().filter(|family| family.tells()).collect();
        for ((input, predictions), example) in inputs.iter().zip(judged).zip(data.tokens().outer_iter()) {
            let example = example.to_vec();
            let member_of: Vec<Option<usize>> = told.iter().map(|family| family.member_of(&example)).collect();
            block.add(input, predictions, &member_of);
        }
        block.take_means();
        Ok(block)
    }

    /// Judges in f64 what is close in f32.
    fn look_again(&self, block: &mut Enumeration, data: &Dataset, judged: &mut [Vec<Judged>]) -> Result<()> {
        let close = |prediction: &Judged| prediction.margin.abs() < self.slack * prediction.scale;
        let lists: Vec<usize> = (0..judged.len()).filter(|at| judged[*at].iter().any(close)).collect();
        if lists.is_empty() {
            return Ok(());
        }
        let again = data.select(&lists);
        let (model, engine) = &self.exact;
        let logits = engine.logits(model, again.tokens(), again.positions())?;
        for (at, exact) in lists.into_iter().zip(judge(&logits, &again)?) {
            for (prediction, exact) in judged[at].iter_mut().zip(exact).filter(|(prediction, _)| close(prediction)) {
                let found = &mut block.close;
                found.predictions += 1;
                found.changed += u64::from(prediction.wrong.is_none() != exact.wrong.is_none());
                found.largest_change = found.largest_change.max((prediction.margin - exact.margin).abs());
                // The loss stays that of the f32 logits.
                *prediction = Judged { loss: prediction.loss, ..exact };
            }
        }
        Ok(())
    }
}

/// The scored predictions of each example.
fn judge<T: Scalar>(logits: &Array3<T>, data: &Dataset) -> Result<Vec<Vec<Judged>>> {
    let outcomes = loss::outcomes(logits.view(), data.targets());
    let positions = data.positions();
    let targets: Vec<(Target, f32)> = data.targets().iter().collect();
    let of = |example: usize| -> Result<Vec<Judged>> {
        let scored = (0..positions.len()).filter(|slot| targets[example * positions.len() + slot].1 > 0.0);
        scored
            .map(|slot| {
                let at = example * positions.len() + slot;
                let row = logits.slice(s![example, slot, ..]);
                let (target, weight) = targets[at];
                judged(row, target, positions[slot], weight, -outcomes[at].log_prob)
            })
            .collect()
    };
    (0..data.len()).map(of).collect()
}

fn judged<T: Scalar>(row: ArrayView1<T>, target: Target, position: usize, weight: f32, loss: f64) -> Result<Judged> {
    if !loss.is_finite() {
        return Err(Error::invalid(format!("loss at position {position}"), "a finite number", loss));
    }
    let margin = margin(row, target);
    let scale = row.iter().fold(1.0, |scale: f64, logit| scale.max(logit.as_f64().abs()));
    let wrong = (margin <= 0.0).then(|| [Answer::said(row, target), target.classes().into()]);
    Ok(Judged { position, weight: weight.into(), loss, margin, scale, wrong })
}
