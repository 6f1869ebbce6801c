//! The largest number of a list (Mech Interp Puzzles, April 2026; without separators Compact Proofs' maximum of 4, Gross et al.
//! 2024).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_length, check_size, numbers},
};
use crate::{
    Error, Result,
    model::{Biases, Config, Normalization},
    random::{Twister, below, uniform24},
    train::{Architecture, Keep, Optimizer, Recipe, Schedule},
};
use rand::seq::SliceRandom;
use std::{borrow::Cow, cmp::Ordering};

/// `BOS 3 SEP 7 SEP 2 ANS 7`: some numbers, and the largest of them; `ANS` predicts it, and it `EOS`.
///
/// A number is a token of its own, or so many digits, the most significant first, each of which predicts the next. Numbers or
/// digits are the tokens from 0 on, then come `BOS`, `SEP`, `ANS` and `EOS`. Without separators the sequence is the numbers
/// alone, and the last predicts the largest. Most lists are uniform; one in 22 has its maximum drawn first, so that small ones
/// are seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxOfList {
    len: usize,
    max: u32,
    digits: usize,
    separators: bool,
}

impl MaxOfList {
    /// Lists of `len` numbers of 0 to `max`, each of so many digits; of one that is all of them, a token of its own.
    ///
    /// # Errors
    /// No number, more than 256, numbers above 4096 or of more digits than there are.
    pub fn new(len: usize, max: u32, digits: usize, separators: bool) -> Result<Self> {
        check_size("len", len, 1, 256)?;
        check_size("digits", digits, 1, 4)?;
        check_size("max", max as usize, 0, if digits == 1 { 4096 } else { 10_usize.pow(digits as u32) - 1 })?;
        if digits > 1 && !separators {
            return Err(Error::invalid("digits", "1 without separators", digits));
        }
        Ok(Self { len, max, digits, separators })
    }

    /// Numbers of a list.
    pub fn list_len(&self) -> usize {
        self.len
    }

    /// Whether numbers are parted by separators, and the largest follows `ANS`.
    pub fn separators(&self) -> bool {
        self.separators
    }

    /// The largest number that there may be.
    pub fn max(&self) -> u32 {
        self.max
    }

    /// Digits of a number; 1 where every number is a token of its own.
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Tokens that numbers are made of.
    fn values(&self) -> Token {
        if self.digits == 1 { self.max + 1 } else { 10 }
    }

    fn digits_of(&self, number: u32) -> impl Iterator<Item = Token> + use<> {
        let digits = self.digits as u32;
        let digit = move |place| if digits == 1 { number } else { number / 10_u32.pow(place) % 10 };
        (0..digits).rev().map(digit)
    }

    fn numbers_of<'a>(&self, input: &'a [Token]) -> Cow<'a, [u32]> {
        if self.digits == 1 { input.into() } else { input.chunks(self.digits).map(number_of).collect() }
    }

    /// The numbers of an example's list.
    fn list_of(&self, example: &[Token]) -> impl Iterator<Item = u32> {
        let (first, step) = if self.separators { (1, self.digits + 1) } else { (0, 1) };
        let list = example.get(first..).unwrap_or_default().chunks_exact(step).take(self.len);
        list.map(|number| number_of(&number[..self.digits]))
    }

    /// The example of some numbers.
    fn whole(&self, list: &[u32]) -> Vec<Token> {
        if !self.separators {
            return list.to_vec();
        }
        let [bos, sep, ans] = [0, 1, 2].map(|behind| self.values() + behind);
        let mut example = Vec::with_capacity(self.n_ctx());
        example.push(bos);
        for (at, number) in list.iter().enumerate() {
            example.extend(self.digits_of(*number));
            example.push(if at + 1 == list.len() { ans } else { sep });
        }
        example.extend(self.digits_of(list.iter().copied().max().unwrap_or(0)));
        example
    }
}

impl Task for MaxOfList {
    fn spec(&self) -> TaskSpec {
        let Self { len, max, digits, separators } = self;
        TaskSpec::new(Self::NAME)
            .with("len", *len)
            .with("max", *max)
            .with("digits", *digits)
            .with("separators", *separators)
    }

    fn n_ctx(&self) -> usize {
        if self.separators { 1 + self.len * (self.digits + 1) + self.digits } else { self.len }
    }

    fn token_labels(&self) -> Vec<String> {
        let numbers = numbers(self.values());
        if self.separators { and(numbers, &["BOS", "SEP", "ANS", "EOS"]) } else { numbers }
    }

    fn roles(&self) -> Vec<Role> {
        if !self.separators {
            return vec![Role::Input; self.len];
        }
        let part = |role| std::iter::repeat_n(role, self.digits);
        let numbers = (0..self.len).flat_map(|_| part(Role::Input).chain([Role::Separator]));
        [Role::Separator].into_iter().chain(numbers).chain(part(Role::Answer)).collect()
    }

    /// The numbers themselves, parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let number = |part: &str| {
            let number = part.parse().ok().filter(|number: &u32| *number <= self.max);
            let unknown = || Error::invalid("list", format!("numbers of 0 to {}", self.max), part);
            number.map(|number| self.digits_of(number)).ok_or_else(unknown)
        };
        let parts = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        Ok(parts.map(number).collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
    }

    fn predicted_positions(&self) -> Vec<usize> {
        let end = self.n_ctx();
        if self.separators { (end - self.digits - 1..end).collect() } else { vec![end - 1] }
    }

    fn targets(&self, example: &[Token]) -> Targets {
        if !self.separators {
            return vec![example.iter().copied().max().unwrap_or(0)].into();
        }
        let eos = self.values() + 3;
        [&example[example.len() - self.digits..], &[eos]].concat().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        let lists = Inputs::sequences(self.len, self.max + 1)?;
        if self.digits == 1 {
            return Some(lists);
        }
        Some(Inputs::new(lists.count(), move |at| {
            let list = lists.get(at).unwrap_or_default();
            list.iter().flat_map(|number| self.digits_of(*number)).collect()
        }))
    }

    fn is_permutation_invariant(&self) -> bool {
        self.digits == 1
    }

    fn families(&self) -> Vec<Family<'_>> {
        let below_with = move |max: u32, times: usize| {
            move |rng: &mut Twister| {
                let mut list: Vec<u32> = (0..self.len).map(|_| if max == 0 { 0 } else { below(rng, max) }).collect();
                list[..times].fill(max);
                list.shuffle(rng);
                Some(list.iter().flat_map(|number| self.digits_of(*number)).collect())
            }
        };
        let any_max = move |times: usize| move |rng: &mut Twister| below_with(1 + below(rng, self.max), times)(rng);
        let by_max = (0..=self.max).fold(Family::new("maximum", "the largest number, once"), |family, max| {
            family.with(max.to_string(), below_with(max, if max == 0 { self.len } else { 1 }))
        });
        // The largest number, and how often it occurs.
        let largest = move |example: &[Token]| {
            self.list_of(example).fold((0, 0_usize), |(max, times), number| match number.cmp(&max) {
                Ordering::Less => (max, times),
                Ordering::Equal => (max, times + 1),
                Ordering::Greater => (number, 1),
            })
        };
        let by_max = by_max.told_by(move |example| {
            let (max, times) = largest(example);
            (times == 1 || max == 0).then_some(max as usize)
        });
        let by_times = (1..=self.len)
            .fold(Family::new("times", "how often the largest number occurs"), |family, times| {
                family.with(times.to_string(), any_max(times))
            })
            .told_by(move |example| largest(example).1.checked_sub(1));
        match self.max {
            0 => vec![by_max],
            1..100 => vec![by_max, by_times],
            _ => vec![by_times],
        }
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let by_maximum = uniform24(rng) < 1.0 / 22.0;
        let max = if by_maximum { below(rng, self.max + 1) } else { self.max };
        let mut list: Vec<u32> = (0..self.len).map(|_| below(rng, max + 1)).collect();
        if by_maximum {
            list[below(rng, self.len as u32) as usize] = max;
        }
        example.copy_from_slice(&self.whole(&list));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        check_example(example, &self.complete(&self.input(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        if input.len() != self.len * self.digits {
            let found = input.len() / self.digits;
            return Err(Error::invalid("list", format!("{} numbers", self.len), found));
        }
        if let Some(token) = input.iter().find(|token| **token >= self.values()) {
            return Err(Error::invalid("list", format!("tokens below {}", self.values()), token));
        }
        let list = self.numbers_of(input);
        match list.iter().find(|number| **number > self.max) {
            None => Ok(self.whole(&list)),
            Some(number) => Err(Error::invalid("list", format!("numbers of 0 to {}", self.max), number)),
        }
    }
}

impl TaskKind for MaxOfList {
    const NAME: &'static str = "max_of_list";
    const ABOUT: &'static str = "the largest number of a list";

    fn from_options(options: &mut Options) -> Result<Self> {
        let digits = options.take("digits", 1)?;
        let max = 10_u32.checked_pow(u32::try_from(digits).unwrap_or(u32::MAX)).map_or(u32::MAX, |numbers| numbers - 1);
        Self::new(options.take("len", 5)?, options.take("max", max)?, digits, options.take("separators", true)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_layers: if self.digits > 1 { 2 } else { 1 },
            n_heads: 4,
            d_model: 64,
            d_head: 16,
            normalization_type: Normalization::None,
            biases: Biases::NONE,
            ..Architecture::default()
        };
        Recipe { task: Some(self.spec()), model, epochs: 20, ..puzzle() }
    }

    /// With separators, of numbers 0 to 9, but for five numbers of two digits; without, as Compact Proofs has it.
    fn fitting(config: &Config) -> Option<Self> {
        let Config { n_ctx, d_vocab, d_vocab_out, .. } = *config;
        if (n_ctx, d_vocab, d_vocab_out) == (4, 64, 64) {
            return Self::new(4, 63, 1, false).ok();
        }
        (d_vocab == d_vocab_out).then_some(())?;
        if (n_ctx, d_vocab) == (18, 14) {
            return Self::new(5, 99, 2, true).ok();
        }
        let len = n_ctx.checked_sub(2).filter(|rest| d_vocab == 14 && rest % 2 == 0)? / 2;
        Self::new(len, 9, 1, true).ok()
    }
}

/// The number of some digits.
fn number_of(digits: &[Token]) -> u32 {
    digits.iter().fold(0, |number, digit| 10 * number + digit)
}

/// What the recipes of the puzzles of 2026 share: AdamW, its rate falling to 0 as a cosine; an epoch has 1000 steps.
pub(super) fn puzzle() -> Recipe {
    let rates = Recipe { lr_schedule: Schedule::Cosine, lr_end: 0.0, weight_decay: 0.01, ..Recipe::default() };
    Recipe { epoch_steps: Some(1000), keep: Keep::Loss, optimizer: Optimizer::AdamW, ..rates }
}
