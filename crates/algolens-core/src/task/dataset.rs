//! Examples of a task, with their right answers.

use super::{Task, Token, labels_of};
use crate::{Error, Result, random::Twister};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

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

    /// Whole examples `[example, n_ctx]` of a task.
    ///
    /// # Errors
    /// The first that is none of the task's.
    pub fn from_examples(task: &dyn Task, tokens: Array2<Token>) -> Result<Self> {
        for (at, example) in tokens.outer_iter().enumerate() {
            task.validate(&example.to_vec()).map_err(|error| {
                Error::invalid(format!("example {}", at + 1), format!("one of {}", task.spec()), error)
            })?;
        }
        Ok(Self::of(task, tokens))
    }

    /// Examples `[example, pos]` of no task in particular, with the right class `[example, predicted position]` at each of
    /// these positions, and what each token is called.
    ///
    /// # Errors
    /// Sequences without tokens; positions that are not ascending, or beyond the sequences; targets of another shape.
    pub fn new(
        tokens: Array2<Token>,
        targets: Array2<Token>,
        positions: Vec<usize>,
        labels: Vec<String>,
    ) -> Result<Self> {
        if tokens.ncols() == 0 {
            return Err(Error::invalid("tokens", "at least one a sequence", 0));
        }
        if let Some(position) = positions.iter().find(|position| **position >= tokens.ncols()) {
            return Err(Error::invalid("positions", format!("below {}", tokens.ncols()), position));
        }
        if positions.is_empty() || !positions.is_sorted_by(|a, b| a < b) {
            return Err(Error::invalid("positions", "ascending ones, at least one", format!("{positions:?}")));
        }
        let expected = (tokens.nrows(), positions.len());
        if targets.dim() != expected {
            let found = format!("{:?}", targets.shape());
            return Err(Error::invalid("targets", format!("shape [{}, {}]", expected.0, expected.1), found));
        }
        Ok(Self { tokens, targets, positions, labels })
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

    /// What each token of the vocabulary is called.
    pub fn token_labels(&self) -> &[String] {
        &self.labels
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

    /// The examples of several sets, one after another.
    ///
    /// # Errors
    /// No set at all, or sets of other shapes, positions or labels than the first.
    pub fn joined(sets: &[&Self]) -> Result<Self> {
        let Some(first) = sets.first() else { return Err(Error::invalid("datasets", "at least one", 0)) };
        let shape = |set: &Self| (set.tokens.ncols(), set.positions.clone());
        if let Some(other) = sets.iter().find(|set| shape(set) != shape(first) || set.labels != first.labels) {
            let [expected, found] =
                [first, other].map(|set| format!("{} tokens, predicted at {:?}", set.tokens.ncols(), set.positions));
            return Err(Error::invalid("a dataset to join", expected, found));
        }
        let join = |part: fn(&Self) -> ArrayView2<'_, Token>| {
            let parts: Vec<_> = sets.iter().map(|set| part(set)).collect();
            concatenate(Axis(0), &parts).expect("the sets have one shape")
        };
        Ok(Self { tokens: join(Self::tokens), targets: join(Self::targets), ..(*first).clone() })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::SortedList;
    use ndarray::array;

    #[test]
    fn data_without_a_task_is_checked() {
        let new = |targets: Array2<Token>, positions: &[usize]| {
            let labels = ["a", "b"].map(String::from).to_vec();
            Dataset::new(array![[0, 1, 1], [1, 0, 0]], targets, positions.to_vec(), labels)
        };
        let data = new(array![[1, 0], [0, 1]], &[0, 2]).unwrap();
        assert_eq!(
            (data.len(), data.positions(), data.labels(1)),
            (2, &[0, 2][..], vec!["b".into(), "a".into(), "a".into()])
        );
        let said = |targets, positions: &[usize]| new(targets, positions).unwrap_err().to_string();
        assert_eq!(said(array![[1], [0]], &[3]), "positions: expected below 3, found 3");
        assert_eq!(
            said(array![[1, 0], [0, 1]], &[2, 1]),
            "positions: expected ascending ones, at least one, found [2, 1]"
        );
        assert_eq!(said(array![[1], [0]], &[0, 1]), "targets: expected shape [2, 2], found [2, 1]");
        assert!(Dataset::new(Array2::zeros((1, 0)), Array2::zeros((1, 0)), vec![], vec![]).is_err());
    }

    #[test]
    fn examples_of_a_task_get_its_targets() {
        let task = SortedList::new(2, 4).unwrap();
        let data = Dataset::from_examples(&task, array![[3, 1, 5, 1, 3]]).unwrap();
        assert_eq!(data, Dataset::from_inputs(&task, &[[3, 1]]).unwrap());
        let said = Dataset::from_examples(&task, array![[3, 1, 5, 1, 3], [3, 1, 5, 3, 1]]).unwrap_err().to_string();
        assert!(
            said.starts_with("example 2: expected one of sorted_list(list_len=2,max_value=4), found token 3"),
            "{said}"
        );
    }
}
