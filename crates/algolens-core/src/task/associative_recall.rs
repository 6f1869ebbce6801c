//! What went with a key (Ba et al. 2016; Olsson et al. 2022).

use super::{
    Family, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_distinct, check_example, check_length, check_size, draw_distinct, numbers, roles, symbols},
};
use crate::{
    Error, Result,
    random::{Twister, below},
    train::{Architecture, Recipe},
};

/// `a 3 f 0 c 3 = f`: keys, each before its value, and one of the keys again; at the last position, its value.
///
/// Keys are the tokens from 0 on, values come after them, and `=` is last. Keys are different and drawn alike, values too, but
/// may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssociativeRecall {
    pairs: usize,
    keys: Token,
    values: Token,
}

impl AssociativeRecall {
    /// So many pairs of so many keys and values.
    ///
    /// # Errors
    /// No pair, more than 256, or more than there are keys.
    pub fn new(pairs: usize, keys: Token, values: Token) -> Result<Self> {
        check_size("keys", keys as usize, 1, 4096)?;
        check_size("values", values as usize, 1, 4096)?;
        check_size("pairs", pairs, 1, 256.min(keys as usize))?;
        Ok(Self { pairs, keys, values })
    }

    fn equals(&self) -> Token {
        self.keys + self.values
    }

    /// Which pair is asked for, from 0.
    fn asked(&self, example: &[Token]) -> usize {
        let asked = example[2 * self.pairs + 1];
        self.keys_of(example).iter().position(|key| *key == asked).unwrap_or(0)
    }

    fn keys_of(&self, input: &[Token]) -> Vec<Token> {
        input.iter().copied().step_by(2).take(self.pairs).collect()
    }
}

impl Task for AssociativeRecall {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("pairs", self.pairs).with("keys", self.keys).with("values", self.values)
    }

    fn n_ctx(&self) -> usize {
        2 * self.pairs + 2
    }

    fn token_labels(&self) -> Vec<String> {
        let keys = if self.keys <= 26 {
            symbols(self.keys)
        } else {
            numbers(self.keys).iter().map(|n| format!("k{n}")).collect()
        };
        and([keys, numbers(self.values)].concat(), &["="])
    }

    fn output_labels(&self) -> Vec<String> {
        numbers(self.values)
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[2 * self.pairs])
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2 * self.pairs + 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![example[2 * self.asked(example) + 1] - self.keys].into()
    }

    fn families(&self) -> Vec<Family<'_>> {
        let asked = |example: &[Token]| self.asked(example);
        let places = (1..=self.pairs).map(|place| place.to_string());
        vec![Family::by("place", "which pair is asked for", self, places, asked)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let keys = draw_distinct(rng, self.pairs, self.keys);
        for (pair, key) in example.chunks_mut(2).zip(&keys) {
            pair.copy_from_slice(&[*key, self.keys + below(rng, self.values)]);
        }
        let asked = keys[below(rng, self.pairs as u32) as usize];
        example[2 * self.pairs..].copy_from_slice(&[self.equals(), asked]);
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        check_example(example, &self.complete(&self.input(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        if input.len() != 2 * self.pairs + 1 {
            return Err(Error::invalid(
                "list",
                format!("{} pairs and a key", self.pairs),
                format!("{} tokens", input.len()),
            ));
        }
        let (pairs, asked) = input.split_at(2 * self.pairs);
        for (at, token) in input.iter().enumerate() {
            let is_key = at % 2 == 0;
            if *token >= self.equals() || is_key != (*token < self.keys) {
                let expected = if is_key { "a key" } else { "a value" };
                return Err(Error::invalid(format!("token {} of the list", at + 1), expected, token));
            }
        }
        let keys = self.keys_of(pairs);
        check_distinct("keys", &keys)?;
        if !keys.contains(&asked[0]) {
            return Err(Error::invalid("the last key", format!("one of {keys:?}"), asked[0]));
        }
        Ok([pairs, &[self.equals()], asked].concat())
    }
}

impl TaskKind for AssociativeRecall {
    const NAME: &'static str = "associative_recall";
    const ABOUT: &'static str = "the value that went with a key";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("pairs", 6)?, options.take("keys", 16)?, options.take("values", 10)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, n_heads: 2, d_model: 64, d_head: 32, ..Architecture::default() };
        Recipe { task: Some(self.spec()), model, epochs: 25, ..Recipe::default() }
    }
}
