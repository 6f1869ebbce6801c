//! Prediction classes, their exact counts, and the options of their tokens.

use algolens_core::{Error, Result, task::SortedList};

/// The longest list that can be checked: states are sets of its positions, and options are bits.
const MOST_VALUES: usize = 12;

/// The option bit of a token that is absent from the list.
pub(super) const ABSENT: u16 = 1 << 15;

/// Sizes of the task, and the numbering of its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Length of a list.
    pub list_len: usize,
    /// Number of values; `SEP` is the token after them.
    pub values: usize,
}

impl Sizes {
    /// The sizes of a task.
    ///
    /// # Errors
    /// Lists that are too long, or stand behind `BOS`.
    pub fn of(task: &SortedList) -> Result<Self> {
        if task.bos() {
            return Err(Error::invalid("bos", "lists without BOS, for a proof", "lists behind it"));
        }
        if task.list_len() > MOST_VALUES {
            return Err(Error::invalid("list_len", format!("at most {MOST_VALUES} for a proof"), task.list_len()));
        }
        Ok(Self { list_len: task.list_len(), values: task.max_value() as usize + 1 })
    }

    /// Tokens in a whole example.
    pub fn context(self) -> usize {
        2 * self.list_len + 1
    }

    /// Number of rows that a prediction may see; the last value is never read.
    pub fn rows(self) -> usize {
        self.sep_row() + 1 + (self.list_len - 1) * self.values
    }

    /// The row of a token at a position of the unsorted list.
    pub fn unsorted_row(self, position: usize, token: usize) -> usize {
        position * self.values + token
    }

    /// The row of `SEP`.
    pub fn sep_row(self) -> usize {
        self.list_len * self.values
    }

    /// The row of a token as the sorted value of this rank.
    pub fn sorted_row(self, rank: usize, token: usize) -> usize {
        self.sep_row() + 1 + rank * self.values + token
    }

    /// The sequence position and the token of a row.
    pub fn position_and_token(self, row: usize) -> (usize, usize) {
        match row.checked_sub(self.sep_row()) {
            None => (row / self.values, row % self.values),
            Some(0) => (self.list_len, self.values),
            Some(sorted) => (self.list_len + 1 + (sorted - 1) / self.values, (sorted - 1) % self.values),
        }
    }

    /// The row where prediction `position` is made.
    pub fn predicting_row(self, position: usize, token: Option<usize>) -> usize {
        token.map_or(self.sep_row(), |token| self.sorted_row(position - 1, token))
    }
}

/// A prediction class: the lists with `target` at a rank of their sorted values and `token` at the rank before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// The rank of the target.
    pub position: usize,
    /// The token that predicts; none at position 0.
    pub token: Option<usize>,
    /// The target: the correct answer.
    pub target: usize,
    /// Number of value sets.
    pub sets: u128,
}

impl Class {
    /// Its name in errors.
    pub fn name(&self) -> String {
        let token = self.token.map_or_else(|| "SEP".to_owned(), |token| token.to_string());
        format!("class ({}, {token} → {})", self.position, self.target)
    }

    /// The error of a proof of it.
    pub fn invalid_proof(&self, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::invalid(format!("the proof of {}", self.name()), expected, found)
    }
}

/// Exact numbers of lists and value sets of a task.
pub(super) struct Counts {
    /// The task's sizes.
    pub sizes: Sizes,
    /// Binomial coefficients `[n][k]`, n up to the number of values, k up to the list's length.
    binomials: Vec<Vec<u128>>,
    /// Number of orders of a set.
    pub orders: u128,
    /// Number of lists; it times their length fits, too.
    pub lists: u128,
}

impl Counts {
    /// The counts of a task.
    ///
    /// # Errors
    /// So many lists that 128 bits do not hold their number.
    pub fn new(sizes: Sizes) -> Result<Self> {
        let too_many = || Error::invalid("the task", "fewer than 2¹²⁸ predictions of all lists", "more");
        let (n, k) = (sizes.values, sizes.list_len);
        let mut binomials = vec![vec![0; k + 1]; n + 1];
        binomials[0][0] = 1_u128;
        for n in 1..=n {
            binomials[n][0] = 1;
            for k in 1..=k {
                let sum = binomials[n - 1][k].checked_add(binomials[n - 1][k - 1]);
                binomials[n][k] = sum.ok_or_else(too_many)?;
            }
        }
        let orders = (1..=k as u128).product();
        let lists = binomials[n][k].checked_mul(orders).ok_or_else(too_many)?;
        lists.checked_mul(k as u128).ok_or_else(too_many)?;
        Ok(Self { sizes, binomials, orders, lists })
    }

    /// Number of value sets.
    pub fn sets(&self) -> u128 {
        self.binomials[self.sizes.values][self.sizes.list_len]
    }

    /// Number of value sets of a class.
    fn class_sets(&self, position: usize, token: Option<usize>, target: usize) -> u128 {
        let above = self.binomials[self.sizes.values - 1 - target][self.sizes.list_len - 1 - position];
        // At most all sets: no overflow.
        above * token.map_or(1, |token| self.binomials[token][position - 1])
    }

    /// Every class with lists, by position, then target, then token.
    pub fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        let at_position = move |position: usize| {
            (0..self.sizes.values).flat_map(move |target| {
                let tokens = if position == 0 { 0..1 } else { 0..target };
                tokens.map(move |token| {
                    let token = (position > 0).then_some(token);
                    Class { position, token, target, sets: self.class_sets(position, token, target) }
                })
            })
        };
        (0..self.sizes.list_len).flat_map(at_position).filter(|class| class.sets > 0)
    }
}

/// Numbering of the tokens of a class's lists: those up to the one that predicts, then the target and those above it.
pub(super) struct Members {
    /// The task's sizes.
    pub sizes: Sizes,
    /// The rank of the target.
    pub position: usize,
    /// Number of tokens up to the one that predicts, which is the last of them; the target is the token after these.
    pub below: usize,
    /// The token `[number]`.
    pub tokens: Vec<usize>,
}

impl Members {
    /// The numbering of a class's tokens.
    pub fn new(sizes: Sizes, class: &Class) -> Self {
        let below = class.token.map_or(0, |token| token + 1);
        Self { sizes, position: class.position, below, tokens: (0..below).chain(class.target..sizes.values).collect() }
    }

    /// Number of a list's values above the target.
    pub fn above(&self) -> usize {
        self.sizes.list_len - 1 - self.position
    }

    /// True if the token is in every list: the one that predicts, or the target.
    pub fn always(&self, number: usize) -> bool {
        number == self.below || number + 1 == self.below
    }

    /// The possible ranks of a token up to the one that predicts, without regard to options.
    pub fn ranks(&self, number: usize) -> std::ops::Range<usize> {
        let last = self.position - 1;
        if number + 1 == self.below { last..last + 1 } else { 0..last.min(number + 1) }
    }

    /// The option bits `[token]` of the whole class: bit j for position j of the unsorted list, [`ABSENT`] for absence.
    pub fn root(&self) -> Vec<u16> {
        let anywhere = (1 << self.sizes.list_len) - 1;
        let options = |number: usize| {
            if self.always(number) {
                anywhere
            } else if if number < self.below { self.position > 1 } else { self.above() > 0 } {
                anywhere | ABSENT
            } else {
                ABSENT
            }
        };
        (0..self.tokens.len()).map(options).collect()
    }

    /// The class's middle list, ascending: values spread evenly below the token that predicts and above the target.
    pub fn middle(&self) -> Vec<usize> {
        let predicting = self.below.checked_sub(1).map(|number| self.tokens[number]);
        let target = self.tokens[self.below];
        let spread =
            |count: usize, from: usize, among: usize| (0..count).map(move |k| from + (2 * k + 1) * among / (2 * count));
        let under = predicting.map_or(0, |_| self.position - 1);
        let over = self.sizes.values - 1 - target;
        spread(under, 0, predicting.unwrap_or(0))
            .chain(predicting)
            .chain([target])
            .chain(spread(self.above(), target + 1, over))
            .collect()
    }
}
