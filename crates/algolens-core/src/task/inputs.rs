//! All inputs of a task, by their numbers.

use super::Token;
use crate::{
    Error, Result,
    random::{Twister, below_u128},
};
use std::{collections::HashSet, fmt};

/// The inputs of a task: how many there are, and the i-th of them. They are all different.
pub struct Inputs<'a> {
    count: u128,
    input: Box<dyn Fn(u128) -> Vec<Token> + Send + Sync + 'a>,
    /// Length and vocabulary, where they are all sequences.
    sequences: Option<(usize, Token)>,
}

impl<'a> Inputs<'a> {
    /// `count` inputs; `input` makes the i-th, for i below `count`, each another.
    pub fn new(count: u128, input: impl Fn(u128) -> Vec<Token> + Send + Sync + 'a) -> Self {
        Self { count, input: Box::new(input), sequences: None }
    }

    /// The sequences of `length` tokens below `vocabulary`, in lexicographic order; none where they are more than a `u128`
    /// can count.
    pub fn sequences(length: usize, vocabulary: Token) -> Option<Self> {
        let count = u128::from(vocabulary).checked_pow(u32::try_from(length).ok()?)?;
        let sequences = Self::new(count, move |at| digits(at, (0..length).map(|_| vocabulary)));
        Some(Self { sequences: Some((length, vocabulary)), ..sequences })
    }

    /// One of every multiset of tokens, in ascending order each, in lexicographic order; none unless these are all
    /// [sequences](Self::sequences) of a length.
    pub fn multisets(&self) -> Option<Inputs<'static>> {
        let (length, vocabulary) = self.sequences?;
        let count = multisets(length, vocabulary)?;
        Some(Inputs::new(count, move |at| ascending(at, length, vocabulary)))
    }

    /// The sequences of `length` different tokens below `vocabulary`, in lexicographic order; none where they are more than
    /// a `u128` can count.
    pub fn arrangements(length: usize, vocabulary: Token) -> Option<Self> {
        let choices =
            move || (0..length).map(move |chosen| u32::try_from(chosen).map_or(0, |c| vocabulary.saturating_sub(c)));
        let count = choices().try_fold(1_u128, |count, choices| count.checked_mul(u128::from(choices)))?;
        Some(Self::new(count, move |at| {
            let mut left: Vec<Token> = (0..vocabulary).collect();
            digits(at, choices()).into_iter().map(|digit| left.remove(digit as usize)).collect()
        }))
    }

    /// How many there are.
    pub fn count(&self) -> u128 {
        self.count
    }

    /// The i-th, from 0.
    ///
    /// # Errors
    /// A number that none has.
    pub fn get(&self, at: u128) -> Result<Vec<Token>> {
        if at < self.count {
            return Ok((self.input)(at));
        }
        Err(Error::invalid("number of the input", format!("below {}", self.count), at))
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = Vec<Token>> {
        (0..self.count).map(&self.input)
    }

    /// So many different ones, every choice of them equally likely (Floyd's algorithm), in the order of their numbers.
    ///
    /// # Errors
    /// More than there are.
    pub fn sample(&self, size: usize, rng: &mut Twister) -> Result<Vec<Vec<Token>>> {
        let Some(first) = self.count.checked_sub(size as u128) else {
            return Err(Error::invalid("number of different inputs", format!("at most {}", self.count), size));
        };
        let mut chosen = HashSet::with_capacity(size);
        for last in first..self.count {
            // 0..=last: a count is below the largest number, or no `last` reaches it.
            let at = below_u128(rng, last + 1);
            chosen.insert(if chosen.contains(&at) { last } else { at });
        }
        let mut chosen: Vec<u128> = chosen.into_iter().collect();
        chosen.sort_unstable();
        Ok(chosen.into_iter().map(&self.input).collect())
    }
}

impl fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inputs").field("count", &self.count).finish_non_exhaustive()
    }
}

/// How many multisets of `length` tokens there are; none beyond 128 bits.
fn multisets(length: usize, vocabulary: Token) -> Option<u128> {
    let Some(most) = vocabulary.checked_sub(1) else { return Some((length == 0).into()) };
    // length + vocabulary − 1 choose length, factor by factor: each product is a binomial times the next factor.
    (1..=length as u128).try_fold(1_u128, |count, nth| Some(count.checked_mul(u128::from(most) + nth)? / nth))
}

/// The multiset of this number, ascending.
fn ascending(mut at: u128, length: usize, vocabulary: Token) -> Vec<Token> {
    let mut least = 0;
    (0..length)
        .rev()
        .map(|left| {
            // Those whose least token is one from `least` to below another.
            let all = multisets(left + 1, vocabulary - least);
            let before = |token| all.zip(multisets(left + 1, vocabulary - token)).map_or(0, |(all, rest)| all - rest);
            let (mut from, mut to) = (least, vocabulary);
            while to - from > 1 {
                let middle = from + (to - from) / 2;
                if before(middle) <= at { from = middle } else { to = middle }
            }
            at -= before(from);
            least = from;
            least
        })
        .collect()
}

/// The digits of a number, the most significant first, of which each has a base of its own.
fn digits(mut number: u128, bases: impl DoubleEndedIterator<Item = Token>) -> Vec<Token> {
    let mut digits: Vec<Token> = bases
        .rev()
        .map(|base| {
            // A division of 128 bits takes many times as long as one of 64.
            let (rest, digit) = match u64::try_from(number) {
                Ok(number) => ((number / u64::from(base)).into(), number % u64::from(base)),
                Err(_) => (number / u128::from(base), (number % u128::from(base)) as u64),
            };
            number = rest;
            digit as Token
        })
        .collect();
    digits.reverse();
    digits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::stream;

    #[test]
    fn sequences_and_arrangements_are_all_there_are_in_order() {
        let of = |inputs: Option<Inputs>| inputs.unwrap().iter().collect::<Vec<_>>();
        assert_eq!(of(Inputs::sequences(2, 3)).concat(), [0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2, 2, 0, 2, 1, 2, 2]);
        assert_eq!(of(Inputs::arrangements(2, 3)).concat(), [0, 1, 0, 2, 1, 0, 1, 2, 2, 0, 2, 1]);
        assert_eq!(of(Inputs::sequences(0, 3)), [Vec::<Token>::new()]);
        assert_eq!([Inputs::arrangements(4, 3), Inputs::sequences(2, 0)].map(|inputs| inputs.unwrap().count()), [0, 0]);
        // 31^20 has 100 bits; 31^26 has 129.
        assert_eq!(Inputs::sequences(20, 31).unwrap().count(), 31_u128.pow(20));
        let long = Inputs::sequences(20, 31).unwrap();
        assert_eq!(long.get(31_u128.pow(20) - 1).unwrap(), [30; 20]);
        let number = |digits: Vec<Token>| digits.iter().fold(0, |number, digit| 31 * number + u128::from(*digit));
        let around = [(1 << 64) - 1, 1 << 64];
        assert_eq!(around.map(|at| number(long.get(at).unwrap())), around);
        assert!(Inputs::sequences(26, 31).is_none() && Inputs::arrangements(100, 4000).is_none());
    }

    #[test]
    fn multisets_are_the_ascending_sequences() {
        for (length, vocabulary) in [(0, 3), (1, 4), (3, 1), (3, 4), (5, 3), (2, 0)] {
            let all = Inputs::sequences(length, vocabulary).unwrap();
            let ascending: Vec<_> = all.iter().filter(|input| input.is_sorted()).collect();
            assert_eq!(all.multisets().unwrap().iter().collect::<Vec<_>>(), ascending, "{length} of {vocabulary}");
        }
        assert_eq!(Inputs::sequences(10, 10).unwrap().multisets().unwrap().count(), 92_378);
        assert!(Inputs::arrangements(3, 3).unwrap().multisets().is_none());
    }

    #[test]
    fn numbers_that_no_input_has_are_refused() {
        let inputs = Inputs::sequences(2, 3).unwrap();
        assert_eq!(inputs.get(8).unwrap(), [2, 2]);
        assert_eq!(inputs.get(9).unwrap_err().to_string(), "number of the input: expected below 9, found 9");
    }

    #[test]
    fn samples_have_no_repeats_and_choose_all_alike() {
        let inputs = Inputs::sequences(2, 3).unwrap();
        let mut rng = stream(0, "test/sample");
        let mut counts = [0_i32; 9];
        for _ in 0..3000 {
            let sample = inputs.sample(3, &mut rng).unwrap();
            let numbers: HashSet<u32> = sample.iter().map(|input| 3 * input[0] + input[1]).collect();
            assert_eq!(numbers.len(), 3);
            numbers.into_iter().for_each(|number| counts[number as usize] += 1);
        }
        // Each 1000 times within five standard deviations (26 each).
        assert!(counts.iter().all(|count| (count - 1000).abs() < 130), "{counts:?}");
        assert_eq!(inputs.sample(9, &mut rng).unwrap(), inputs.iter().collect::<Vec<_>>());
        assert!(inputs.sample(10, &mut rng).is_err());
    }
}
