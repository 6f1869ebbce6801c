//! Sizes of a task, the numbering of its rows, and what is asked of a list.

use algolens_core::{
    Error, Result,
    task::{MaxOfList, SortedList, Task, TaskKind, TaskSpec},
};

/// The longest list that can be checked: states are sets of its positions, and options are bits.
const MOST_VALUES: usize = 12;

/// What is asked of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// Its distinct values in order.
    Sorted,
    /// Its largest value, of `ANS` behind numbers with separators, and then `EOS`.
    Separated,
    /// Its largest value, of the last.
    Bare,
}

/// Sizes of the task, and the numbering of its rows: values at positions of the list, tokens that every example has, values
/// that were predicted and are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Length of a list.
    pub list_len: usize,
    /// Number of values.
    pub values: usize,
    /// What is asked for.
    pub asks: Asks,
}

/// The task of a specification, with its sizes.
///
/// # Errors
/// Tasks that no proof is about; lists that are too long, stand behind `BOS` or have numbers of several digits.
pub(super) fn task_of(spec: &TaskSpec) -> Result<(Box<dyn Task>, Sizes)> {
    let (task, sizes): (Box<dyn Task>, Sizes) = if spec.name == MaxOfList::NAME {
        let task = MaxOfList::of(spec)?;
        if task.digits() > 1 {
            return Err(Error::invalid("digits", "1, for a proof", task.digits()));
        }
        let asks = if task.separators() { Asks::Separated } else { Asks::Bare };
        let sizes = Sizes { list_len: task.list_len(), values: task.max() as usize + 1, asks };
        (Box::new(task), sizes)
    } else {
        let task = SortedList::of(spec)?;
        if task.bos() {
            return Err(Error::invalid("bos", "lists without BOS, for a proof", "lists behind it"));
        }
        let sizes = Sizes { list_len: task.list_len(), values: task.max_value() as usize + 1, asks: Asks::Sorted };
        (Box::new(task), sizes)
    };
    if sizes.list_len > MOST_VALUES {
        let what = if sizes.asks == Asks::Sorted { "list_len" } else { "len" };
        return Err(Error::invalid(what, format!("at most {MOST_VALUES} for a proof"), sizes.list_len));
    }
    Ok((task, sizes))
}

impl Sizes {
    /// Number of predictions of a list.
    pub fn predictions(self) -> usize {
        match self.asks {
            Asks::Sorted => self.list_len,
            Asks::Separated => 2,
            Asks::Bare => 1,
        }
    }

    /// Positions, tokens and output tokens that the task needs.
    pub fn needs(self) -> [usize; 3] {
        match self.asks {
            Asks::Sorted => [2 * self.list_len, self.values + 1, self.values],
            Asks::Separated => [2 * self.list_len + 2, self.values + 3, self.values + 4],
            Asks::Bare => [self.list_len, self.values, self.values],
        }
    }

    /// The output token that ends an example with separators.
    fn eos(self) -> usize {
        self.values + 3
    }

    /// Number of rows that a prediction may see; the last value of a sorted list is never read.
    pub fn rows(self) -> usize {
        let read = match self.asks {
            Asks::Sorted => self.list_len - 1,
            Asks::Separated => 1,
            Asks::Bare => 0,
        };
        self.fixed().end + read * self.values
    }

    /// The row of a token at a position of the list.
    pub fn unsorted_row(self, position: usize, token: usize) -> usize {
        position * self.values + token
    }

    /// The rows of tokens that every example has: `SEP`, or `BOS`, the separators and `ANS`.
    pub fn fixed(self) -> std::ops::Range<usize> {
        let first = self.list_len * self.values;
        match self.asks {
            Asks::Sorted => first..first + 1,
            Asks::Separated => first..first + 1 + self.list_len,
            Asks::Bare => first..first,
        }
    }

    /// The row of a token as the predicted value of this rank.
    pub fn sorted_row(self, rank: usize, token: usize) -> usize {
        self.fixed().end + rank * self.values + token
    }

    /// The sequence position and the token of a row.
    pub fn position_and_token(self, row: usize) -> (usize, usize) {
        let fixed = self.fixed();
        match (self.asks, row) {
            (Asks::Separated, row) if row < fixed.start => (2 * (row / self.values) + 1, row % self.values),
            // BOS, then a token behind every number: the last is ANS.
            (Asks::Separated, row) if row == fixed.start => (0, self.values),
            (Asks::Separated, row) if row + 1 == fixed.end => (2 * self.list_len, self.values + 2),
            (Asks::Separated, row) if row < fixed.end => (2 * (row - fixed.start), self.values + 1),
            (Asks::Separated, row) => (2 * self.list_len + 1, row - fixed.end),
            (_, row) if row < fixed.start => (row / self.values, row % self.values),
            (_, row) if row < fixed.end => (self.list_len, self.values),
            (_, row) => {
                let read = row - fixed.end;
                (self.list_len + 1 + read / self.values, read % self.values)
            }
        }
    }

    /// The first row where a prediction is made.
    pub fn first_predicting(self) -> usize {
        match self.asks {
            Asks::Sorted => self.fixed().start,
            Asks::Separated => self.fixed().end - 1,
            Asks::Bare => self.unsorted_row(self.list_len - 1, 0),
        }
    }

    /// The row where prediction `position` is made.
    pub fn predicting_row(self, position: usize, token: Option<usize>) -> usize {
        match (self.asks, token) {
            (_, None) => self.fixed().end - 1,
            (Asks::Bare, Some(last)) => self.unsorted_row(self.list_len - 1, last),
            (_, Some(token)) => self.sorted_row(position - 1, token),
        }
    }

    /// The rows that every list attends to at a prediction, whatever its values are.
    pub fn always_seen(self, position: usize, token: Option<usize>) -> Vec<usize> {
        let reads = self.asks == Asks::Separated && token.is_some();
        self.fixed().chain(reads.then(|| self.predicting_row(position, token))).collect()
    }

    /// The token that makes prediction `position` of a list, and what is right.
    pub fn asked(self, list: &[usize], position: usize) -> (Option<usize>, usize) {
        let largest = list.iter().copied().max().unwrap_or(0);
        match self.asks {
            Asks::Sorted => {
                let mut ascending = list.to_vec();
                ascending.sort_unstable();
                (position.checked_sub(1).map(|before| ascending[before]), ascending[position])
            }
            Asks::Separated if position == 0 => (None, largest),
            Asks::Separated => (Some(largest), self.eos()),
            Asks::Bare => (list.last().copied(), largest),
        }
    }

    /// The classes with the token that predicts and the target, at a position, where the largest value is asked for; with the
    /// largest value.
    pub fn of_largest(self, position: usize) -> Vec<(Option<usize>, usize, usize)> {
        let values = 0..self.values;
        match self.asks {
            Asks::Separated if position == 0 => values.map(|largest| (None, largest, largest)).collect(),
            Asks::Separated => values.map(|largest| (Some(largest), self.eos(), largest)).collect(),
            _ => values.flat_map(|largest| (0..=largest).map(move |last| (Some(last), largest, largest))).collect(),
        }
    }

    /// The largest value of the lists of a class.
    pub fn largest(self, token: Option<usize>, target: usize) -> usize {
        if self.asks == Asks::Separated { token.unwrap_or(target) } else { target }
    }
}
