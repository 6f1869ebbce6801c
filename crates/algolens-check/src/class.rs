//! Which classes there are, how many lists each has, and the options that a region leaves its tokens.

use algolens_core::{Error, Result, task::SortedList};

/// The most values that a list may have: states are sets of its positions, and options are bits.
const MOST_VALUES: usize = 12;

/// The bit of a token that is not in the list.
pub(super) const ABSENT: u16 = 1 << 15;

/// The task's sizes, and where its rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    /// Values in a list.
    pub list_len: usize,
    /// Values there are; `SEP` is the token after them.
    pub values: usize,
}

impl Sizes {
    /// Those of a task.
    ///
    /// # Errors
    /// Lists that are too long.
    pub fn of(task: &SortedList) -> Result<Self> {
        if task.list_len() > MOST_VALUES {
            return Err(Error::invalid("list_len", format!("at most {MOST_VALUES} for a proof"), task.list_len()));
        }
        Ok(Self { list_len: task.list_len(), values: task.max_value() as usize + 1 })
    }

    /// Tokens of a whole example.
    pub fn context(self) -> usize {
        2 * self.list_len + 1
    }

    /// Rows that a prediction may see; the last value is never read.
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

    /// The position in the sequence and the token of a row.
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

/// All lists that have the right answer `target` at a rank and `token` at the rank before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// The rank of the right answer.
    pub position: usize,
    /// The token that predicts; none at position 0.
    pub token: Option<usize>,
    /// The right answer.
    pub target: usize,
    /// Sets of values.
    pub sets: u128,
}

impl Class {
    /// What errors call it.
    pub fn name(&self) -> String {
        let token = self.token.map_or_else(|| "SEP".to_owned(), |token| token.to_string());
        format!("class ({}, {token} → {})", self.position, self.target)
    }

    /// What is wrong with its proof.
    pub fn invalid_proof(&self, expected: impl Into<String>, found: impl ToString) -> Error {
        Error::invalid(format!("the proof of {}", self.name()), expected, found)
    }
}

/// How many lists there are.
pub(super) struct Counts {
    pub sizes: Sizes,
    /// Binomial coefficients `[n][k]`, n up to the number of values, k up to the list's length.
    binomials: Vec<Vec<u128>>,
    /// Orders of a set.
    pub orders: u128,
    /// Lists in all; times their length they fit, too.
    pub lists: u128,
}

impl Counts {
    /// Those of a task.
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

    /// Sets of values.
    pub fn sets(&self) -> u128 {
        self.binomials[self.sizes.values][self.sizes.list_len]
    }

    /// Sets of values of a class.
    fn sets_of(&self, position: usize, token: Option<usize>, target: usize) -> u128 {
        let above = self.binomials[self.sizes.values - 1 - target][self.sizes.list_len - 1 - position];
        // At most all sets: no overflow.
        above * token.map_or(1, |token| self.binomials[token][position - 1])
    }

    /// Every class that has lists: by position, then target, then token.
    pub fn classes(&self) -> impl Iterator<Item = Class> + '_ {
        let of_position = move |position: usize| {
            (0..self.sizes.values).flat_map(move |target| {
                let tokens = if position == 0 { 0..1 } else { 0..target };
                tokens.map(move |token| {
                    let token = (position > 0).then_some(token);
                    Class { position, token, target, sets: self.sets_of(position, token, target) }
                })
            })
        };
        (0..self.sizes.list_len).flat_map(of_position).filter(|class| class.sets > 0)
    }
}

/// The tokens of a class's lists, numbered: those up to the one that predicts, then the right answer and those above it.
pub(super) struct Members {
    pub sizes: Sizes,
    /// The rank of the right answer.
    pub position: usize,
    /// Tokens up to the one that predicts, which is the last of them; the right answer is the token after these.
    pub below: usize,
    /// The token of each number.
    pub tokens: Vec<usize>,
}

impl Members {
    pub fn new(sizes: Sizes, class: &Class) -> Self {
        let below = class.token.map_or(0, |token| token + 1);
        Self { sizes, position: class.position, below, tokens: (0..below).chain(class.target..sizes.values).collect() }
    }

    /// Values of a list above the right answer.
    pub fn above(&self) -> usize {
        self.sizes.list_len - 1 - self.position
    }

    /// Whether the token is in every list: the one that predicts, or the right answer.
    pub fn always(&self, number: usize) -> bool {
        number == self.below || number + 1 == self.below
    }

    /// The ranks that a token up to the one that predicts may have, without regard to options.
    pub fn ranks(&self, number: usize) -> std::ops::Range<usize> {
        let last = self.position - 1;
        if number + 1 == self.below { last..last + 1 } else { 0..last.min(number + 1) }
    }

    /// What each token may do in the class: bit j: stand at position j of the unsorted list; [`ABSENT`]: be in no list.
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

    /// The class's middle list, ascending: its values are spread evenly below and above the class's two.
    pub fn middle(&self) -> Vec<usize> {
        let predicting = self.below.checked_sub(1).map(|number| self.tokens[number]);
        let target = self.tokens[self.below];
        let spread =
            |count: usize, from: usize, of: usize| (0..count).map(move |k| from + (2 * k + 1) * of / (2 * count));
        let under = predicting.map_or(0, |_| self.position - 1);
        let over = self.sizes.values - 1 - target;
        spread(under, 0, predicting.unwrap_or(0))
            .chain(predicting)
            .chain([target])
            .chain(spread(self.above(), target + 1, over))
            .collect()
    }
}
