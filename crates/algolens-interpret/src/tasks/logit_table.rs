//! The logits of all pairs of elements that a binary operation takes.

use crate::{Runner, Subject};
use algolens_core::{
    Result,
    engine::hooks::Filter,
    task::{Dataset, Task, Token},
};
use ndarray::{Array2, Axis, s};

/// Pairs, and their logits at the last position over some classes, less their mean.
pub struct LogitTable {
    /// The pairs.
    pub pairs: Vec<[Token; 2]>,
    /// The classes.
    pub classes: Vec<Token>,
    /// `[pair, class]`.
    pub logits: Array2<f64>,
}

/// Most logits of a table.
const LARGEST: u128 = 1 << 24;

impl LogitTable {
    /// The table of a task whose examples start with a pair, of the elements among these alone, which are its classes too; none if
    /// that is of more than 16 million logits.
    ///
    /// # Errors
    /// A model that is not of the task.
    pub fn of(subject: Subject, task: &dyn Task, classes: Vec<Token>) -> Result<Option<Self>> {
        let Some(inputs) = task.inputs().filter(|inputs| inputs.count() * classes.len() as u128 <= LARGEST) else {
            return Ok(None);
        };
        let among = |pair: &Vec<Token>| pair[..2].iter().all(|element| classes.contains(element));
        let inputs: Vec<Vec<Token>> = inputs.iter().filter(among).collect();
        let data = Dataset::from_inputs(task, &inputs)?;
        let columns: Vec<usize> = classes.iter().map(|class| *class as usize).collect();
        let mut logits = Array2::zeros((inputs.len(), classes.len()));
        Runner::new(subject).run(data.tokens(), data.positions(), &[], Filter::Nothing, |chunk| {
            let found = chunk.logits.index_axis(Axis(1), 0).select(Axis(1), &columns);
            logits.slice_mut(s![chunk.examples, ..]).assign(&found.mapv(f64::from));
            Ok(())
        })?;
        for mut row in logits.axis_iter_mut(Axis(0)) {
            let mean = row.sum() / classes.len() as f64;
            row -= mean;
        }
        Ok(Some(Self { pairs: inputs.iter().map(|pair| [pair[0], pair[1]]).collect(), classes, logits }))
    }

    /// The mean logit of every kind of `(a, b, class)`, of which `kind` tells the number; those of no kind are left out.
    pub fn means(&self, kinds: usize, kind: impl Fn([Token; 2], Token) -> Option<usize>) -> Vec<f64> {
        let (mut sums, mut counts) = (vec![0.0; kinds], vec![0_usize; kinds]);
        for ((pair, class), logit) in self.logits.indexed_iter() {
            if let Some(kind) = kind(self.pairs[pair], self.classes[class]) {
                sums[kind] += logit;
                counts[kind] += 1;
            }
        }
        sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1) as f64).collect()
    }

    /// The sum of squares of the logits.
    pub fn squares(&self) -> f64 {
        self.logits.iter().map(|logit| logit * logit).sum()
    }
}
