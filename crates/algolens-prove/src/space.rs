//! The lists that are verified, and the rows that predictions about them attend to.

use super::MOST_VALUES;
use algolens_core::{
    Error, Result,
    task::{MaxOfList, SortedList, TaskKind, TaskSpec, Token},
};

/// The lists of a task and its predictions: of distinct values that are sorted, or of any values of which the largest is asked
/// for.
///
/// Its rows are every token at every position where it may stand: the list's come first (position by position, token by token),
/// then what is the same in every example, then answers that are read (as the list's).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Space {
    /// Length of a list.
    pub list_len: usize,
    /// Number of values.
    pub values: usize,
    /// What is asked for.
    pub asks: Asks,
}

/// What is asked for of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// Its distinct values in ascending order, from SEP on, each of the one before.
    Sorted,
    /// The largest of its values.
    Largest {
        /// Whether there are separators: ANS predicts the largest value, and that EOS. Else the last value predicts it.
        separators: bool,
    },
}

impl Space {
    /// The lists of a task.
    ///
    /// # Errors
    /// Other tasks; lists behind BOS, of numbers of several digits, or of more than [`MOST_VALUES`] values.
    pub fn of(spec: &TaskSpec) -> Result<Self> {
        let space = if spec.name == SortedList::NAME { Self::sorted(spec)? } else { Self::largest(spec)? };
        if space.list_len > MOST_VALUES {
            let what = if space.asks == Asks::Sorted { "list_len" } else { "len" };
            return Err(Error::invalid(what, format!("at most {MOST_VALUES}, for proofs"), space.list_len));
        }
        Ok(space)
    }

    fn sorted(spec: &TaskSpec) -> Result<Self> {
        let task = SortedList::of(spec)?;
        if task.bos() {
            return Err(Error::invalid("bos", "lists without BOS, for proofs", "lists behind it"));
        }
        Ok(Self { list_len: task.list_len(), values: task.max_value() as usize + 1, asks: Asks::Sorted })
    }

    fn largest(spec: &TaskSpec) -> Result<Self> {
        if spec.name != MaxOfList::NAME {
            return Err(Error::invalid("task", "sorted_list or max_of_list, for proofs", &spec.name));
        }
        let task = MaxOfList::of(spec)?;
        if task.digits() != 1 {
            return Err(Error::invalid("digits", "1, for proofs", task.digits()));
        }
        let asks = Asks::Largest { separators: task.separators() };
        Ok(Self { list_len: task.list_len(), values: task.max() as usize + 1, asks })
    }

    /// Number of predictions of a list.
    pub fn predictions(&self) -> usize {
        match self.asks {
            Asks::Sorted => self.list_len,
            Asks::Largest { separators } => 1 + usize::from(separators),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        let fixed = self.fixed_rows().len();
        let answers = match self.asks {
            Asks::Sorted => self.list_len * self.values,
            Asks::Largest { separators: true } => self.values,
            Asks::Largest { separators: false } => 0,
        };
        self.list_len * self.values + fixed + answers
    }

    /// The rows of tokens that are the same in every example.
    pub fn fixed_rows(&self) -> std::ops::Range<usize> {
        let first = self.list_len * self.values;
        let count = match self.asks {
            Asks::Sorted => 1,
            // BOS, the separators, ANS.
            Asks::Largest { separators: true } => self.list_len + 1,
            Asks::Largest { separators: false } => 0,
        };
        first..first + count
    }

    /// The row of a value that a prediction has given, read by the next.
    pub fn answer_row(&self, prediction: usize, value: usize) -> usize {
        self.fixed_rows().end + prediction * self.values + value
    }

    /// The sequence position and the token of a row.
    pub fn position_and_token(&self, row: usize) -> (usize, usize) {
        let Self { list_len, values, asks } = *self;
        let separated = asks == Asks::Largest { separators: true };
        if row < list_len * values {
            let position = row / values;
            return (if separated { 1 + 2 * position } else { position }, row % values);
        }
        let fixed = self.fixed_rows();
        if fixed.contains(&row) {
            let at = row - fixed.start;
            let [bos, sep, ans] = [0, 1, 2].map(|behind| values + behind);
            return match at {
                _ if !separated => (list_len, values),
                0 => (0, bos),
                _ if at == list_len => (2 * at, ans),
                _ => (2 * at, sep),
            };
        }
        let (prediction, value) = ((row - fixed.end) / values, (row - fixed.end) % values);
        (if separated { 2 * list_len + 1 } else { list_len + 1 + prediction }, value)
    }

    /// Positions, tokens and classes that a model must have.
    pub fn needs(&self) -> [usize; 3] {
        let Self { list_len, values, asks } = *self;
        match asks {
            Asks::Sorted => [2 * list_len, values + 1, values],
            Asks::Largest { separators: true } => [2 * list_len + 2, values + 3, values + 4],
            Asks::Largest { separators: false } => [list_len, values, values],
        }
    }

    /// The class that follows the largest value: EOS.
    pub fn end(&self) -> Token {
        self.values as Token + 3
    }
}
