//! What charts are made from, and what is chosen of it: what a page shows that was just opened.

use super::held::Held;
use crate::{Proof, Report, ReportError};
use algolens::{
    Error,
    interpret::{AxisLabels, Head, Labels, Shown, ShownExample},
};
use ndarray::{ArrayView1, ArrayView3, Axis};

/// A report with the selection of a page that was just opened.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    report: &'a Report<'a>,
}

/// The chosen example, query and key.
pub(super) struct Chosen<'a> {
    pub example: &'a ShownExample,
    /// The patterns of all heads, `[head, query, key]`.
    pub pattern: ArrayView3<'a, f32>,
    /// The middle predicted position.
    pub query: usize,
    /// The key that the first head attends to most.
    pub key: usize,
}

impl<'a> Source<'a> {
    /// The example that is shown first.
    pub const EXAMPLE: usize = 0;
    /// Most heads that are shown over each other.
    const MOST_HEADS: usize = 2;

    pub fn new(report: &'a Report<'a>) -> Self {
        Self { report }
    }

    /// The study's arrays.
    pub fn arrays(self) -> Held<'a> {
        Held(self.report.arrays)
    }

    pub fn labels(self) -> &'a Labels {
        &self.report.study.labels
    }

    /// The labels of an axis, one a row or column.
    pub fn axis_labels(self, labels: AxisLabels) -> Vec<String> {
        self.report.study.axis_labels(labels)
    }

    /// What the axes of tokens and classes go over.
    pub fn shown(self) -> &'a Shown {
        &self.report.study.shown
    }

    pub fn positions(self) -> &'a [usize] {
        &self.report.study.positions
    }

    /// All heads: the head axis of `pattern`.
    pub fn heads(self) -> Vec<Head> {
        Head::all(&self.report.study.config)
    }

    /// The heads that are shown, by their places among all heads.
    pub fn shown_heads(self) -> Vec<usize> {
        (0..self.heads().len().min(Self::MOST_HEADS)).collect()
    }

    /// Whether a query sees a key of the chosen example.
    pub fn sees(self, query: usize, key: usize) -> bool {
        let config = &self.report.study.config;
        key < config.keys_seen(query, config.n_ctx)
    }

    /// Those of the shown heads that are in the first block.
    pub fn first_heads(self) -> Vec<usize> {
        let in_first = self.report.study.config.n_heads;
        self.shown_heads().into_iter().filter(|head| *head < in_first).collect()
    }

    /// The proof.
    ///
    /// # Errors
    /// There is none.
    pub fn proof(self) -> Result<&'a Proof, ReportError> {
        let lacking = || Error::invalid("the report", "a proof, which its figures show", "none").into();
        self.report.proof.ok_or_else(lacking)
    }

    /// The chosen example.
    ///
    /// # Errors
    /// A study without examples, or one whose positions are outside of its example.
    pub fn example(self) -> Result<(&'a ShownExample, usize), ReportError> {
        let example = self.report.study.examples.get(Self::EXAMPLE);
        let example = example.ok_or_else(|| Error::invalid("the study", "at least one example", 0))?;
        let query = self.positions().get(self.positions().len() / 2).copied().unwrap_or(0);
        let len = example.prediction.tokens.len();
        if query >= len {
            return Err(Error::invalid("a predicted position", format!("below {len}"), query).into());
        }
        Ok((example, query))
    }

    /// The chosen example with its patterns, and the chosen pair of positions.
    ///
    /// # Errors
    /// Those of [`example`](Self::example), or patterns of another shape.
    pub fn chosen(self) -> Result<Chosen<'a>, ReportError> {
        let (example, query) = self.example()?;
        let pattern: ArrayView3<f32> = self.arrays().part("pattern", &[Self::EXAMPLE])?;
        let (heads, len) = (self.heads().len(), example.prediction.tokens.len());
        if pattern.dim() != (heads, len, len) {
            let found = format!("{:?}", pattern.shape());
            return Err(
                Error::invalid("the array pattern", format!("{:?} an example", [heads, len, len]), found).into()
            );
        }
        let key = largest_of(pattern.index_axis(Axis(0), 0).row(query)).unwrap_or(0);
        Ok(Chosen { example, pattern, query, key })
    }

    /// The label of the token at a position of an example.
    pub fn token_at(self, example: &ShownExample, position: usize) -> String {
        let token = example.prediction.tokens.get(position).map_or(0, |token| *token as usize);
        super::words::label(&self.labels().tokens, token)
    }

    /// A place of an example: its token and, in brackets, its position.
    pub fn place(self, example: &ShownExample, position: usize) -> String {
        format!("{} ({position})", self.token_at(example, position))
    }
}

/// The index of the largest number, the first of equal ones; none if all are blank.
pub(super) fn largest_of(numbers: ArrayView1<f32>) -> Option<usize> {
    let mut best: Option<usize> = None;
    for (at, number) in numbers.iter().enumerate() {
        if !number.is_nan() && best.is_none_or(|best| *number > numbers[best]) {
            best = Some(at);
        }
    }
    best
}
