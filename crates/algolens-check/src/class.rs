//! Prediction classes, their exact counts, and the options of their tokens.

use super::sizes::{Asks, Sizes};
use algolens_core::{Error, Result};

/// The option bit of a token that is absent from the list.
pub(super) const ABSENT: u16 = 1 << 15;

/// A prediction class: the lists with `target` at a rank of their sorted values and `token` at the rank before; or those with a
/// largest value, and a `token` that predicts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Class {
    /// The rank of the target.
    pub position: usize,
    /// The token that predicts; none at position 0.
    pub token: Option<usize>,
    /// The target: the correct answer.
    pub target: usize,
    /// Number of value sets; of lists, where the largest is asked for.
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
        let several = |lists: u128| lists.checked_mul(k as u128).map(|_| lists).ok_or_else(too_many);
        if sizes.asks != Asks::Sorted {
            let lists = several((n as u128).checked_pow(k as u32).ok_or_else(too_many)?)?;
            return Ok(Self { sizes, binomials: Vec::new(), orders: 1, lists });
        }
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
        let lists = several(binomials[n][k].checked_mul(orders).ok_or_else(too_many)?)?;
        Ok(Self { sizes, binomials, orders, lists })
    }

    /// Number of value sets; of lists, where the largest is asked for.
    pub fn sets(&self) -> u128 {
        self.lists / self.orders
    }

    /// Number of lists with a largest value, of which the last is given where it predicts.
    fn lists_with(&self, largest: usize, last: Option<usize>) -> u128 {
        let power = |values: usize, free: usize| (values as u128).pow(free as u32);
        let free = self.sizes.list_len - usize::from(last.is_some());
        // At most all lists: no overflow.
        power(largest + 1, free) - if last == Some(largest) { 0 } else { power(largest, free) }
    }

    /// Number of value sets of a class.
    fn class_sets(&self, position: usize, token: Option<usize>, target: usize) -> u128 {
        let above = self.binomials[self.sizes.values - 1 - target][self.sizes.list_len - 1 - position];
        // At most all sets: no overflow.
        above * token.map_or(1, |token| self.binomials[token][position - 1])
    }

    /// Every class with lists, by position, then target, then token.
    pub fn classes(&self) -> impl Iterator<Item = Class> {
        let at_position = |position: usize| match self.sizes.asks {
            Asks::Sorted => self.sorted_classes(position),
            _ => self.largest_classes(position),
        };
        let all: Vec<Class> = (0..self.sizes.predictions()).flat_map(at_position).collect();
        all.into_iter().filter(|class| class.sets > 0)
    }

    fn sorted_classes(&self, position: usize) -> Vec<Class> {
        let of_target = |target: usize| {
            let tokens = if position == 0 { 0..1 } else { 0..target };
            tokens.map(move |token| {
                let token = (position > 0).then_some(token);
                Class { position, token, target, sets: self.class_sets(position, token, target) }
            })
        };
        (0..self.sizes.values).flat_map(of_target).collect()
    }

    fn largest_classes(&self, position: usize) -> Vec<Class> {
        let all = self.sizes.of_largest(position).into_iter();
        all.map(|(token, target, largest)| {
            let last = token.filter(|_| self.sizes.asks == Asks::Bare);
            Class { position, token, target, sets: self.lists_with(largest, last) }
        })
        .collect()
    }
}

/// Numbering of the tokens of a class's lists: those up to the one that predicts, then the target and those above it; or those
/// up to the largest.
#[derive(Clone)]
pub(super) struct Members {
    /// The task's sizes.
    pub sizes: Sizes,
    /// The rank of the target.
    pub position: usize,
    /// Number of tokens up to the one that predicts, which is the last of them; the target is the token after these.
    pub below: usize,
    /// The token `[number]`.
    pub tokens: Vec<usize>,
    /// The value of the last position, where it predicts.
    last: Option<usize>,
}

impl Members {
    /// The numbering of a class's tokens.
    pub fn new(sizes: Sizes, class: &Class) -> Self {
        let position = class.position;
        if sizes.asks != Asks::Sorted {
            let tokens = (0..=sizes.largest(class.token, class.target)).collect();
            let last = class.token.filter(|_| sizes.asks == Asks::Bare);
            return Self { sizes, position, below: 0, tokens, last };
        }
        let below = class.token.map_or(0, |token| token + 1);
        let tokens = (0..below).chain(class.target..sizes.values).collect();
        Self { sizes, position, below, tokens, last: None }
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
        if self.sizes.asks != Asks::Sorted {
            let all_but_last = anywhere >> 1;
            let is_elsewhere = |token: &usize| self.last.is_some_and(|last| last != *token);
            let options = |token: &usize| if is_elsewhere(token) { all_but_last } else { anywhere };
            return self.tokens.iter().map(options).collect();
        }
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

    /// The class's middle list, ascending: values spread evenly below the token that predicts and above the target; or up to
    /// the largest, which stands at the last free position.
    pub fn middle(&self) -> Vec<usize> {
        if self.sizes.asks != Asks::Sorted {
            let (list_len, largest) = (self.sizes.list_len, self.tokens.len() - 1);
            let mut list: Vec<usize> = (0..list_len).map(|k| (2 * k + 1) * largest / (2 * list_len)).collect();
            let mut end = list_len - 1;
            if let Some(last) = self.last {
                list[end] = last;
                end -= usize::from(last != largest);
            }
            list[end] = largest;
            return list;
        }
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
