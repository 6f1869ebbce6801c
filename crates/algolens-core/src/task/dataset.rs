//! Examples of a task, with their right answers.

use super::{Task, Token, labels_of};
use crate::{Result, random::Twister};
use ndarray::{Array2, ArrayView2, Axis};

/// A set of examples and the right class at each predicted position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    tokens: Array2<Token>,
    targets: Array2<Token>,
    positions: Vec<usize>,
    labels: Vec<String>,
}

impl Dataset {
    /// `size` random examples, drawn one after another.
    pub fn generate(task: &dyn Task, size: usize, rng: &mut Twister) -> Self {
        let mut tokens = Array2::zeros((size, task.n_ctx()));
        for mut row in tokens.rows_mut() {
            task.generate(rng, row.as_slice_mut().expect("rows of a fresh array are contiguous"));
        }
        Self::of(task, tokens)
    }

    /// The examples that the given inputs lead to: the post's `CustomSortedListDataset`.
    ///
    /// # Errors
    /// The first input that is not one of the task's.
    pub fn from_inputs<I: AsRef<[Token]>>(task: &dyn Task, inputs: &[I]) -> Result<Self> {
        let mut tokens = Array2::zeros((inputs.len(), task.n_ctx()));
        for (mut row, input) in tokens.rows_mut().into_iter().zip(inputs) {
            row.assign(&ndarray::aview1(&task.complete(input.as_ref())?));
        }
        Ok(Self::of(task, tokens))
    }

    fn of(task: &dyn Task, tokens: Array2<Token>) -> Self {
        let positions = task.predicted_positions();
        let mut targets = Array2::zeros((tokens.nrows(), positions.len()));
        for (row, mut right) in tokens.rows().into_iter().zip(targets.rows_mut()) {
            right.assign(&ndarray::aview1(&task.targets(&row.to_vec())));
        }
        Self { tokens, targets, positions, labels: task.token_labels() }
    }

    /// Examples.
    pub fn len(&self) -> usize {
        self.tokens.nrows()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `[example, n_ctx]`.
    pub fn tokens(&self) -> ArrayView2<'_, Token> {
        self.tokens.view()
    }

    /// The right class, `[example, predicted position]`.
    pub fn targets(&self) -> ArrayView2<'_, Token> {
        self.targets.view()
    }

    /// The positions that are predicted.
    pub fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// What the tokens of one example are called (the post's `str_toks`).
    pub fn labels(&self, example: usize) -> Vec<String> {
        labels_of(&self.labels, &self.tokens.row(example).to_vec())
    }

    /// The examples in order, `size` at a time.
    pub fn chunks(&self, size: usize) -> impl Iterator<Item = Self> {
        let size = size.max(1);
        (0..self.len()).step_by(size).map(move |from| {
            let examples: Vec<usize> = (from..(from + size).min(self.len())).collect();
            self.select(&examples)
        })
    }

    /// The examples at these indices, in this order.
    pub fn select(&self, examples: &[usize]) -> Self {
        Self {
            tokens: self.tokens.select(Axis(0), examples),
            targets: self.targets.select(Axis(0), examples),
            positions: self.positions.clone(),
            labels: self.labels.clone(),
        }
    }
}
