//! A block that comes again: what induction heads are for (Elhage et al. 2021; Olsson et al. 2022).

use super::{
    Family, Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_distinct, check_example, check_size, draw_distinct, parse_symbols, symbols},
};
use crate::{
    Error, Result,
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use ndarray::Array2;

/// A block of different symbols, of a random length, repeated to the sequence's end: `c a f c a f c a`; from the block's end on,
/// each symbol predicts the next.
///
/// The block has 2 to `len` / 2 symbols, each length and each block alike, so that no distance between the copies is learnt
/// by heart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Induction {
    len: usize,
    symbols: Token,
}

impl Induction {
    /// Sequences of `len` out of so many symbols.
    ///
    /// # Errors
    /// Fewer than 4 or more than 512, or fewer symbols than the longest block has.
    pub fn new(len: usize, symbols: Token) -> Result<Self> {
        check_size("len", len, 4, 512)?;
        check_size("symbols", symbols as usize, len / 2, 4096)?;
        Ok(Self { len, symbols })
    }

    /// The block that a sequence begins with.
    fn block(example: &[Token]) -> &[Token] {
        let again = (1..example.len()).find(|at| example[*at] == example[0]);
        &example[..again.unwrap_or(example.len())]
    }

    fn whole(&self, block: &[Token]) -> Vec<Token> {
        block.iter().copied().cycle().take(self.len).collect()
    }
}

impl Task for Induction {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("len", self.len).with("symbols", self.symbols)
    }

    fn n_ctx(&self) -> usize {
        self.len
    }

    fn token_labels(&self) -> Vec<String> {
        symbols(self.symbols)
    }

    /// Letters, parted or not, or else numbers parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    /// The block.
    fn input(&self, example: &[Token]) -> Vec<Token> {
        Self::block(example).to_vec()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (2..self.len).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let period = Self::block(example).len();
        let next = |position: usize| example[(position + 1) % period];
        let weight = |position: usize| if position >= period { 1.0 } else { 0.0 };
        let weights: Vec<f32> = self.predicted_positions().into_iter().map(weight).collect();
        let weights = Array2::from_shape_vec((1, weights.len()), weights).expect("one row of them");
        Targets::from(self.predicted_positions().into_iter().map(next).collect::<Vec<_>>()).weighted(weights)
    }

    fn families(&self) -> Vec<Family<'_>> {
        let period = |example: &[Token]| Self::block(example).len() - 2;
        let periods = (2..=self.len / 2).map(|period| period.to_string());
        vec![Family::by("period", "how long the block is", self, periods, period)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let period = 2 + below(rng, (self.len / 2 - 1) as u32) as usize;
        let block = draw_distinct(rng, period, self.symbols);
        example.copy_from_slice(&self.whole(&block));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_example(example, &self.complete(Self::block(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        if !(2..=self.len / 2).contains(&input.len()) {
            return Err(Error::invalid("block", format!("2 to {} symbols", self.len / 2), input.len()));
        }
        if let Some(other) = input.iter().find(|symbol| **symbol >= self.symbols) {
            return Err(Error::invalid("block", format!("symbols below {}", self.symbols), other));
        }
        check_distinct("block", input)?;
        Ok(self.whole(input))
    }
}

impl TaskKind for Induction {
    const NAME: &'static str = "induction";
    const ABOUT: &'static str = "the next symbol of a block that comes again";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("len", 24)?, options.take("symbols", 26)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, n_heads: 2, d_model: 64, d_head: 32, ..Architecture::default() };
        Recipe { task: Some(self.spec()), model, epochs: 20, ..Recipe::default() }
    }
}
