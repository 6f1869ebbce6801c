//! Examples of a task, with their right answers.

use super::{Targets, TargetsView, Task, Token, labels_of};
use crate::{Error, Result, random::Twister};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate};

/// A set of examples, and what is right at each predicted position.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    tokens: Array2<Token>,
    targets: Targets,
    positions: Vec<usize>,
    labels: Vec<String>,
    output_labels: Vec<String>,
    padding: Option<Token>,
}

impl Dataset {
    /// The most numbers that targets of all examples may be made of (a gigabyte of booleans).
    pub const MOST_TARGETS: usize = 1 << 30;

    /// The most tokens of examples that are drawn: as many as fit in the memory of a small machine.
    pub const MOST_TOKENS: usize = 1 << 28;

    /// `size` random examples, drawn one after another.
    ///
    /// # Errors
    /// More tokens than [`MOST_TOKENS`](Self::MOST_TOKENS); a task whose targets do not fit its predicted positions and
    /// classes.
    pub fn generate(task: &dyn Task, size: usize, rng: &mut Twister) -> Result<Self> {
        let most = Self::MOST_TOKENS / task.n_ctx().max(1);
        if size > most {
            return Err(Error::invalid("number of examples", format!("at most {most}"), size));
        }
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
        Self::of(task, tokens)
    }

    /// Whole examples `[example, n_ctx]` of a task.
    ///
    /// # Errors
    /// The first that is none of the task's.
    pub fn from_examples(task: &dyn Task, tokens: Array2<Token>) -> Result<Self> {
        if tokens.ncols() != task.n_ctx() {
            let expected = format!("{} tokens an example, as {} has", task.n_ctx(), task.spec());
            return Err(Error::invalid("examples", expected, tokens.ncols()));
        }
        for (at, example) in tokens.outer_iter().enumerate() {
            task.validate(&example.to_vec()).map_err(|error| {
                Error::invalid(format!("example {}", at + 1), format!("one of {}", task.spec()), error)
            })?;
        }
        let tokens = if tokens.is_standard_layout() { tokens } else { tokens.as_standard_layout().into_owned() };
        Self::of(task, tokens)
    }

    /// Examples `[example, pos]` of no task in particular, with what is right at each of these positions and what it counts,
    /// and what each token is called. Classes are called as tokens are, unless
    /// [`with_output_labels`](Self::with_output_labels) says otherwise.
    ///
    /// # Errors
    /// Sequences without tokens; positions that are not ascending, or beyond the sequences; targets of another shape, or that
    /// are none; weights that leave nothing scored.
    pub fn new(
        tokens: Array2<Token>,
        targets: impl Into<Targets>,
        positions: Vec<usize>,
        labels: Vec<String>,
    ) -> Result<Self> {
        Self::build(tokens, targets.into(), positions, labels, None)
    }

    /// As [`new`](Self::new), with a token that fills shorter examples: predictions at positions that hold it are not scored.
    ///
    /// # Errors
    /// As [`new`](Self::new); what is not scored needs no target.
    pub fn padded(
        tokens: Array2<Token>,
        targets: impl Into<Targets>,
        positions: Vec<usize>,
        labels: Vec<String>,
        padding: Token,
    ) -> Result<Self> {
        Self::build(tokens, targets.into(), positions, labels, Some(padding))
    }

    fn build(
        tokens: Array2<Token>,
        mut targets: Targets,
        positions: Vec<usize>,
        labels: Vec<String>,
        padding: Option<Token>,
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
        targets.view().check_shape(tokens.nrows(), positions.len())?;
        for (example, tokens) in tokens.outer_iter().enumerate() {
            unscore_padding(&mut targets, example, tokens, &positions, padding);
        }
        targets.view().check(tokens.nrows(), positions.len())?;
        let data = Self { tokens, targets, positions, output_labels: labels.clone(), labels, padding };
        data.check_scored()?;
        Ok(data)
    }

    /// The data with other names of its classes.
    pub fn with_output_labels(self, output_labels: Vec<String>) -> Self {
        Self { output_labels, ..self }
    }

    fn of(task: &dyn Task, tokens: Array2<Token>) -> Result<Self> {
        let positions = task.predicted_positions();
        let (labels, output_labels) = (task.token_labels(), task.output_labels());
        let mut targets: Option<Targets> = None;
        for (at, row) in tokens.rows().into_iter().enumerate() {
            let in_example =
                |error| Error::invalid(format!("example {} of the task", at + 1), "targets that fit", error);
            let mut example = task.targets(row.to_slice().expect("rows are contiguous in standard layout"));
            example.view().check_shape(1, positions.len()).map_err(in_example)?;
            unscore_padding(&mut example, 0, row, &positions, task.padding());
            example.view().check(1, positions.len()).map_err(in_example)?;
            example.view().check_classes(output_labels.len()).map_err(in_example)?;
            let all = match &mut targets {
                Some(all) => all,
                None => targets.insert(room(example.view(), tokens.nrows())?),
            };
            all.set(at, example.view()).map_err(in_example)?;
        }
        let targets = targets.unwrap_or_else(|| Array2::zeros((0, positions.len())).into());
        Ok(Self { tokens, targets, positions, labels, output_labels, padding: task.padding() })
    }

    fn check_scored(&self) -> Result<()> {
        if self.is_empty() || self.targets.view().total_weight() > 0.0 {
            return Ok(());
        }
        Err(Error::invalid("weights", "a prediction that counts more than 0", "none"))
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

    /// What is right at each predicted position, and what it counts.
    pub fn targets(&self) -> TargetsView<'_> {
        self.targets.view()
    }

    /// The right class, `[example, predicted position]`.
    ///
    /// # Errors
    /// Data whose targets are sets or distributions.
    pub fn classes(&self) -> Result<ArrayView2<'_, Token>> {
        self.targets.view().classes()
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

    /// What each output class is called.
    pub fn output_labels(&self) -> &[String] {
        &self.output_labels
    }

    /// The token that fills shorter examples, if there is one.
    pub fn padding(&self) -> Option<Token> {
        self.padding
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
    /// No set at all, or sets of other shapes, positions, labels or kinds of targets than the first.
    pub fn joined(sets: &[&Self]) -> Result<Self> {
        let Some(first) = sets.first() else { return Err(Error::invalid("datasets", "at least one", 0)) };
        let shape = |set: &Self| (set.tokens.ncols(), set.positions.clone());
        if let Some(other) = sets.iter().find(|set| shape(set) != shape(first) || set.labels != first.labels) {
            let [expected, found] =
                [first, other].map(|set| format!("{} tokens, predicted at {:?}", set.tokens.ncols(), set.positions));
            return Err(Error::invalid("a dataset to join", expected, found));
        }
        let tokens: Vec<_> = sets.iter().map(|set| set.tokens()).collect();
        let tokens = concatenate(Axis(0), &tokens).expect("the sets have one shape");
        let mut targets = Targets::room(first.targets(), tokens.nrows());
        for (at, example) in sets.iter().flat_map(|set| set.targets().examples()).enumerate() {
            targets.set(at, example)?;
        }
        Ok(Self { tokens, targets, ..(*first).clone() })
    }

    /// The examples at these indices, in this order.
    pub fn select(&self, examples: &[usize]) -> Self {
        Self {
            tokens: self.tokens.select(Axis(0), examples),
            targets: self.targets.select(examples),
            positions: self.positions.clone(),
            labels: self.labels.clone(),
            output_labels: self.output_labels.clone(),
            padding: self.padding,
        }
    }
}

/// Leaves the predictions of an example unscored that are made at padding.
fn unscore_padding(
    targets: &mut Targets,
    example: usize,
    tokens: ArrayView1<Token>,
    positions: &[usize],
    padding: Option<Token>,
) {
    for (prediction, _) in positions.iter().enumerate().filter(|(_, position)| Some(tokens[**position]) == padding) {
        targets.unscore(example, prediction);
    }
}

/// Room for the targets of so many examples, that of one of which is given.
fn room(like: TargetsView, examples: usize) -> Result<Targets> {
    let numbers = like.len() * like.class_count().unwrap_or(1);
    let most = Dataset::MOST_TARGETS / numbers.max(1);
    if examples > most {
        return Err(Error::invalid(
            "examples",
            format!("at most {most} with {numbers} numbers of targets each"),
            examples,
        ));
    }
    Ok(Targets::room(like, examples))
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
