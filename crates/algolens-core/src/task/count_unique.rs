//! How many different symbols there are (Mech Interp Puzzles, May 2026).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_size, check_values, draw_distinct, parse_symbols, roles, symbols},
    max_of_list::puzzle,
};
use crate::{
    Result,
    model::{Biases, Config, Normalization, Positions},
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use rand::seq::SliceRandom;

/// `BOS c a a f … ANS`: a list of symbols; at `ANS`, how many different ones it has.
///
/// Symbols are the tokens from 0 on, then come `BOS`, `ANS` and the counts from 1 on. The number of different symbols is drawn
/// first, each alike, so that small ones are seen; then which they are, and a list that has them all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountUnique {
    len: usize,
    symbols: Token,
}

impl CountUnique {
    /// Lists of `len` out of so many symbols.
    ///
    /// # Errors
    /// None, or more than 512.
    pub fn new(len: usize, symbols: Token) -> Result<Self> {
        check_size("len", len, 1, 512)?;
        check_size("symbols", symbols as usize, 1, 4096)?;
        Ok(Self { len, symbols })
    }

    /// The largest count.
    fn most(&self) -> Token {
        self.symbols.min(self.len as Token)
    }

    /// How many different symbols an example has.
    fn different(&self, example: &[Token]) -> usize {
        let list = &example[1..=self.len];
        (0..self.symbols).filter(|symbol| list.contains(symbol)).count()
    }

    fn whole(&self, list: &[Token]) -> Vec<Token> {
        [&[self.symbols], list, &[self.symbols + 1]].concat()
    }
}

impl Task for CountUnique {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("len", self.len).with("symbols", self.symbols)
    }

    fn n_ctx(&self) -> usize {
        self.len + 2
    }

    fn token_labels(&self) -> Vec<String> {
        let counts = (1..=self.most()).map(|count| count.to_string());
        and(symbols(self.symbols), &["BOS", "ANS"]).into_iter().chain(counts).collect()
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0, self.len + 1])
    }

    /// Letters, parted or not, or else numbers parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![self.len + 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![self.symbols + 1 + self.different(example) as Token].into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.len, self.symbols)
    }

    fn is_permutation_invariant(&self) -> bool {
        true
    }

    fn families(&self) -> Vec<Family<'_>> {
        let count = |example: &[Token]| self.different(example) - 1;
        let counts = (1..=self.most()).map(|count| count.to_string());
        vec![Family::by("count", "how many different symbols there are", self, counts, count)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let different = 1 + below(rng, self.most()) as usize;
        let chosen = draw_distinct(rng, different, self.symbols);
        let mut list = chosen.clone();
        list.resize_with(self.len, || chosen[below(rng, different as u32) as usize]);
        list.shuffle(rng);
        example.copy_from_slice(&self.whole(&list));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        let end = example.len().saturating_sub(1);
        check_example(example, &self.complete(example.get(1..end).unwrap_or_default())?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, self.len, self.symbols)?;
        Ok(self.whole(input))
    }
}

impl TaskKind for CountUnique {
    const NAME: &'static str = "count_unique";
    const ABOUT: &'static str = "how many different symbols a list has";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("len", 10)?, options.take("symbols", 10)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_layers: 2,
            n_heads: 4,
            d_model: 32,
            d_head: 8,
            normalization_type: Normalization::None,
            positional_embedding_type: Positions::None,
            biases: Biases::NONE,
            ..Architecture::default()
        };
        Recipe { task: Some(self.spec()), model, epochs: 40, ..puzzle() }
    }

    fn fitting(config: &Config) -> Option<Self> {
        (config.n_ctx == 12 && config.d_vocab == 22 && config.d_vocab_out == 22).then(|| Self::new(10, 10).ok())?
    }
}
