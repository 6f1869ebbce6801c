//! How often each symbol occurs (Weiss et al. 2021; Behrens et al. 2025).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_length, check_size, check_values, draw_distinct, parse_symbols, roles, symbols},
};
use crate::{
    Result,
    model::{ActFn, AttentionDir, Mlp, Normalization, Positions},
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use rand::seq::SliceRandom;

/// A sequence of symbols, behind `BOS` if that is asked for; at every position, how often its symbol occurs in the sequence.
///
/// Models of it attend both ways and have no positions. One may compare each symbol with all others (*relation-based
/// counting*, for which softmax needs `BOS` to weigh against), or keep a count of each in the MLP (*inventory-based
/// counting*, for which the MLP needs a neuron a symbol), as its sizes allow (Behrens et al. 2025). How often the first symbol
/// occurs is drawn first, each number alike, then the next of what is left, so that large counts are seen; then which symbols
/// they are, and the order. Symbols are the tokens from 0 on, `BOS` is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Histogram {
    len: usize,
    symbols: Token,
    bos: bool,
}

impl Histogram {
    /// Sequences of `len` out of so many symbols, behind `BOS` or not.
    ///
    /// # Errors
    /// None, more than 512, or fewer symbols than a sequence may have.
    pub fn new(len: usize, symbols: Token, bos: bool) -> Result<Self> {
        check_size("len", len, 1, 512)?;
        check_size("symbols", symbols as usize, len, 4096)?;
        Ok(Self { len, symbols, bos })
    }

    fn list<'a>(&self, example: &'a [Token]) -> &'a [Token] {
        &example[usize::from(self.bos)..]
    }

    fn whole(&self, list: &[Token]) -> Vec<Token> {
        if self.bos { [&[self.symbols], list].concat() } else { list.to_vec() }
    }
}

impl Task for Histogram {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("len", self.len).with("symbols", self.symbols).with("bos", self.bos)
    }

    fn n_ctx(&self) -> usize {
        self.len + usize::from(self.bos)
    }

    fn token_labels(&self) -> Vec<String> {
        let symbols = symbols(self.symbols);
        if self.bos { and(symbols, &["BOS"]) } else { symbols }
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), if self.bos { &[0] } else { &[] })
    }

    fn output_labels(&self) -> Vec<String> {
        (1..=self.len).map(|count| count.to_string()).collect()
    }

    /// Letters, parted or not, or else numbers parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (usize::from(self.bos)..self.n_ctx()).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let list = self.list(example);
        let count = |symbol: &Token| list.iter().filter(|other| *other == symbol).count() as Token;
        list.iter().map(|symbol| count(symbol) - 1).collect::<Vec<_>>().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.len, self.symbols)
    }

    fn attention_dir(&self) -> AttentionDir {
        AttentionDir::Bidirectional
    }

    fn families(&self) -> Vec<Family<'_>> {
        let largest = |example: &[Token]| {
            let list = self.list(example);
            let count = |symbol: &Token| list.iter().filter(|other| *other == symbol).count();
            list.iter().map(count).max().unwrap_or(1) - 1
        };
        vec![Family::by("largest", "how often the commonest symbol occurs", self, self.output_labels(), largest)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let symbols = draw_distinct(rng, self.len, self.symbols);
        let mut list = Vec::with_capacity(self.len);
        for symbol in symbols {
            let left = self.len - list.len();
            if left > 0 {
                let count = 1 + below(rng, left as u32) as usize;
                list.resize(list.len() + count, symbol);
            }
        }
        list.shuffle(rng);
        example.copy_from_slice(&self.whole(&list));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        check_example(example, &self.complete(self.list(example))?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, self.len, self.symbols)?;
        Ok(self.whole(input))
    }
}

impl TaskKind for Histogram {
    const NAME: &'static str = "histogram";
    const ABOUT: &'static str = "how often each symbol occurs";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("len", 10)?, options.take("symbols", 32)?, options.take("bos", false)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_heads: 1,
            d_model: 32,
            d_head: 32,
            normalization_type: Normalization::None,
            mlp: Some(Mlp { d_mlp: 32, act_fn: ActFn::Relu, gated: false }),
            positional_embedding_type: Positions::None,
            ..Architecture::default()
        };
        Recipe { task: Some(self.spec()), model, weight_decay: 0.0, ..Recipe::default() }
    }
}
