//! The walk over a task's inputs.

use super::{
    enumeration::{Enumeration, ToRun},
    judge::{Again, Judged, judge},
    orders::{multisets, orders},
};
use crate::Subject;
use algolens_core::{
    Error, Result,
    engine::{Batch, Engine, Plain, check_batch},
    model::{Config, Model},
    parallel,
    task::{Dataset, Family, Inputs, Task, Token},
};
use std::ops::Range;

/// How many inputs are run to know a model's answers on all of a task; none where they cannot be counted.
pub fn inputs_to_run(config: &Config, task: &dyn Task) -> Option<u128> {
    multisets(config, task).or_else(|| task.inputs()).map(|inputs| inputs.count())
}

/// All inputs of a task, to be run through a model.
pub struct Walk<'a> {
    subject: Subject<'a>,
    task: &'a dyn Task,
    /// Those that are run.
    inputs: Inputs<'a>,
    to_run: ToRun,
    families: Vec<Family<'a>>,
    /// The model in f64, for what is close.
    exact: (Model<f64>, Plain<f64>),
    slack: f64,
    limit: usize,
}

impl<'a> Walk<'a> {
    /// Inputs that are run together: those from one multiple of this number to the next, whichever of them are counted, so that
    /// rounding does not depend on where a run begins. It costs least to go on to a multiple.
    pub const BLOCK: u64 = 2048;
    /// A slack that is more than f32 loses of a logit, with room.
    pub const SLACK: f64 = 1e-3;

    /// The walk of a model of a task: margins within the `slack` (see [`Close`](super::Close)) are run again in f64, and the
    /// first `limit` wrong predictions are listed.
    ///
    /// # Errors
    /// A task whose inputs cannot be counted or have no numbers of 64 bits; a model that is not of the task.
    pub fn new(subject: Subject<'a>, task: &'a dyn Task, slack: f64, limit: usize) -> Result<Self> {
        let uncounted = || Error::invalid("inputs of the task", "ones that can be counted", task.spec());
        let all = task.inputs().ok_or_else(uncounted)?;
        let of = u64::try_from(all.count()).map_err(|_| Error::TooLarge {
            what: "task",
            most: format!("at most {} inputs", u64::MAX),
            found: all.count(),
        })?;
        // Without a second look, rounding in one order would decide for all.
        let (inputs, multisets) = match multisets(subject.model.config(), task).filter(|_| slack > 0.0) {
            Some(multisets) => (multisets, true),
            None => (all, false),
        };
        let to_run = ToRun { of, count: inputs.count() as u64, multisets };
        if !(slack >= 0.0 && slack.is_finite()) {
            return Err(Error::invalid("slack", "a number of 0 or more", slack));
        }
        if to_run.count > 0 {
            let first = Dataset::from_inputs(task, &[inputs.get(0)?])?;
            check_batch(subject.model, Batch::from(&first))?;
        }
        let families = task.families();
        let exact = (subject.model.cast(), Plain::new());
        Ok(Self { subject, task, inputs, to_run, families, exact, slack, limit })
    }

    /// How many inputs are run.
    pub fn count(&self) -> u64 {
        self.to_run.count
    }

    /// A run that begins with the input of this number, before it.
    pub fn begin(&self, from: u64) -> Enumeration {
        Enumeration::new(self.to_run, from, self.slack, self.limit, &self.families)
    }

    /// Whether inputs that differ in their order only are run once, and counted as often as there are orders: where the
    /// task is [permutation-invariant](Task::is_permutation_invariant) and the model knows no positions.
    pub fn by_multisets(&self) -> bool {
        self.to_run.multisets
    }

    /// Goes on with a run until `to`, the number of the input after the last among those that are run.
    ///
    /// # Errors
    /// An input that is not one of the task's, or logits that are not finite. The run then stands before them.
    pub fn go_on(&self, run: &mut Enumeration, to: u64) -> Result<()> {
        /// Blocks whose counts are in memory at once.
        const WINDOW: u64 = 256 * Walk::BLOCK;
        let to = to.min(self.count());
        while run.to() < to {
            let first = run.to() / Self::BLOCK * Self::BLOCK;
            let starts = (first..to.min(first.saturating_add(WINDOW))).step_by(Self::BLOCK as usize);
            let mut blocks: Vec<(u64, Result<Option<Enumeration>>)> = starts.map(|start| (start, Ok(None))).collect();
            let counted = run.to()..to;
            parallel::for_each(blocks.iter_mut().collect(), |(start, block): &mut (u64, Result<_>)| {
                *block = self.block(*start, &counted).map(Some);
            });
            for (_, block) in blocks {
                if let Some(block) = block? {
                    run.join(block)?;
                }
            }
        }
        Ok(())
    }

    /// The examples of the first block, as they are run together.
    ///
    /// # Errors
    /// An input that is not one of the task's.
    pub fn first_block(&self) -> Result<Dataset> {
        self.examples(0..self.count().min(Self::BLOCK)).map(|(_, data)| data)
    }

    /// The inputs of these numbers, and their examples.
    fn examples(&self, numbers: Range<u64>) -> Result<(Vec<Vec<Token>>, Dataset)> {
        let inputs = numbers.map(|number| self.inputs.get(number.into())).collect::<Result<Vec<_>>>()?;
        let data = Dataset::from_inputs(self.task, &inputs)?;
        Ok((inputs, data))
    }

    /// The counts of the block that begins with this input, of those of its inputs that are to be counted.
    fn block(&self, start: u64, counted: &Range<u64>) -> Result<Enumeration> {
        let numbers = start..self.count().min(start.saturating_add(Self::BLOCK));
        let counted = counted.start.max(numbers.start)..counted.end.min(numbers.end);
        let mut block = self.begin(counted.start);
        let (inputs, data) = self.examples(numbers.clone())?;
        let logits = self.subject.engine.logits(self.subject.model, data.tokens(), data.positions())?;
        let mut judged = judge(logits.view(), &data)?;
        self.look_again(&data, &mut judged)?;
        let told: Vec<&Family> = self.families.iter().filter(|family| family.tells()).collect();
        let examples = data.tokens();
        let predictions = judged.chunks(data.positions().len());
        for (((number, input), predictions), example) in
            numbers.zip(&inputs).zip(predictions).zip(examples.outer_iter())
        {
            if !counted.contains(&number) {
                continue;
            }
            let example = example.to_slice().expect("rows of a dataset are contiguous");
            let orders = if self.by_multisets() { orders(input) } else { Some(1) };
            let orders = orders.expect("an input has no more orders than there are inputs, which 64 bits count");
            block.add(input, orders, predictions.iter().flatten(), told.iter().map(|family| family.member_of(example)));
        }
        block.take_means();
        Ok(block)
    }

    /// Judges in f64 what is close in f32.
    fn look_again(&self, data: &Dataset, judged: &mut [Option<Judged>]) -> Result<()> {
        let per_example = data.positions().len();
        let close = |prediction: &Judged| prediction.margin.abs() < self.slack * prediction.scale;
        let is_close = |predictions: &[Option<Judged>]| predictions.iter().flatten().any(close);
        let examples = judged.chunks(per_example).enumerate().filter(|(_, predictions)| is_close(predictions));
        let examples: Vec<usize> = examples.map(|(example, _)| example).collect();
        if examples.is_empty() {
            return Ok(());
        }
        let again = data.select(&examples);
        let (model, engine) = &self.exact;
        let logits = engine.logits(model, again.tokens(), again.positions())?;
        let mut exact = judge(logits.view(), &again)?.into_iter();
        for example in examples {
            for (prediction, exact) in judged[example * per_example..].iter_mut().zip(exact.by_ref().take(per_example))
            {
                let (Some(prediction), Some(exact)) = (prediction, exact) else { continue };
                if close(prediction) {
                    let again = Again {
                        changed: prediction.wrong.is_none() != exact.wrong.is_none(),
                        change: (prediction.margin - exact.margin).abs(),
                    };
                    // The loss stays that of the f32 logits.
                    *prediction = Judged { loss: prediction.loss, again: Some(again), ..exact };
                }
            }
        }
        Ok(())
    }
}
