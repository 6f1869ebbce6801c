//! The first symbol that occurs once (ARENA's monthly challenge of August 2023).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_size, check_values, parse_symbols, roles, symbols},
};
use crate::{
    Result,
    model::Config,
    random::{Twister, below},
    train::{Architecture, Recipe},
};

/// `?` and letters; at every position, the first letter so far that stands there once so far, or `?` if there is none.
///
/// Letters are the tokens from 0 on, and `?` comes after them. Every letter is drawn alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstUnique {
    length: usize,
    symbols: Token,
}

impl FirstUnique {
    /// Sequences of `length` letters out of so many.
    ///
    /// # Errors
    /// More than 1024, or more letters than the alphabet has.
    pub fn new(length: usize, symbols: Token) -> Result<Self> {
        check_size("length", length, 1, 1024)?;
        check_size("symbols", symbols as usize, 1, 26)?;
        Ok(Self { length, symbols })
    }

    /// The token that says that no letter occurs once.
    pub fn none(&self) -> Token {
        self.symbols
    }

    fn first_unique(&self, seen: &[Token]) -> Token {
        let once = |letter: &&Token| seen.iter().filter(|other| other == letter).count() == 1;
        seen.iter().find(once).copied().unwrap_or(self.none())
    }
}

impl Task for FirstUnique {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("length", self.length).with("symbols", self.symbols)
    }

    fn n_ctx(&self) -> usize {
        self.length + 1
    }

    fn token_labels(&self) -> Vec<String> {
        and(symbols(self.symbols), &["?"])
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0])
    }

    /// Letters, parted or not.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.n_ctx()).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        (0..example.len()).map(|position| self.first_unique(&example[1..=position])).collect::<Vec<_>>().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.length, self.symbols)
    }

    fn families(&self) -> Vec<Family<'_>> {
        let last = |example: &[Token]| self.first_unique(&example[1..]) as usize;
        vec![Family::by("answer", "the first unique letter of the whole list", self, self.token_labels(), last)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        example[0] = self.none();
        example[1..].fill_with(|| below(rng, self.symbols));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_example(example, &self.complete(example.get(1..).unwrap_or_default())?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, self.length, self.symbols)?;
        Ok([&[self.none()], input].concat())
    }
}

impl TaskKind for FirstUnique {
    const NAME: &'static str = "first_unique";
    const ABOUT: &'static str = "the first letter so far that occurs once";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("length", 19)?, options.take("symbols", 10)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, n_heads: 3, d_model: 42, d_head: 14, ..Architecture::default() };
        Recipe { task: Some(self.spec()), model, epochs: 40, weight_decay: 5e-4, ..Recipe::default() }
    }

    /// Of ten letters, as is published.
    fn fitting(config: &Config) -> Option<Self> {
        let sizes = config.d_vocab == 11 && config.d_vocab_out == 11;
        sizes.then(|| Self::new(config.n_ctx.checked_sub(1)?, 10).ok())?
    }
}
