//! The element that is missing (Mech Interp Puzzles, 2026).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{
        and, check_distinct, check_example, check_length, check_size, check_values, draw_distinct, parse_symbols,
        roles, symbols,
    },
    max_of_list::puzzle,
};
use crate::{
    Error, Result,
    model::{Biases, Config, Normalization},
    random::Twister,
    train::{Architecture, Recipe},
};
use rand::seq::SliceRandom;

/// `BOS x1 … xk SEP y1 … yk−1 SEP`: k different symbols, and all but one of them in another order; at the last position, the one
/// that is missing.
///
/// Symbols are the tokens from 0 on, then come `BOS` and `SEP`. Every set, order and missing symbol is drawn alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetDifference {
    k: usize,
    symbols: Token,
}

impl SetDifference {
    /// Sets of k out of so many symbols.
    ///
    /// # Errors
    /// No symbol, more than 64, or more than there are.
    pub fn new(k: usize, symbols: Token) -> Result<Self> {
        check_size("symbols", symbols as usize, 1, 4096)?;
        check_size("k", k, 1, 64.min(symbols as usize))?;
        Ok(Self { k, symbols })
    }

    fn bos(&self) -> Token {
        self.symbols
    }

    fn sep(&self) -> Token {
        self.symbols + 1
    }

    fn whole(&self, input: &[Token]) -> Vec<Token> {
        let (set, part) = input.split_at(self.k);
        [&[self.bos()], set, &[self.sep()], part, &[self.sep()]].concat()
    }

    fn missing(&self, example: &[Token]) -> Token {
        let part = &example[self.k + 2..=2 * self.k];
        self.set(example).iter().find(|symbol| !part.contains(symbol)).copied().unwrap_or(self.sep())
    }

    fn set<'a>(&self, example: &'a [Token]) -> &'a [Token] {
        &example[1..=self.k]
    }
}

impl Task for SetDifference {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("k", self.k).with("symbols", self.symbols)
    }

    fn n_ctx(&self) -> usize {
        2 * self.k + 2
    }

    fn token_labels(&self) -> Vec<String> {
        and(symbols(self.symbols), &["BOS", "SEP"])
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0, self.k + 1, 2 * self.k + 1])
    }

    /// Letters, parted or not, or else numbers parted by commas or blanks.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        parse_symbols(text, self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2 * self.k + 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![self.missing(example)].into()
    }

    /// Every order of every set, with every order of all but one of it.
    fn inputs(&self) -> Option<Inputs<'_>> {
        let sets = Inputs::arrangements(self.k, self.symbols)?;
        let parts = Inputs::arrangements(self.k - 1, self.k as Token)?;
        let count = sets.count().checked_mul(parts.count())?;
        Some(Inputs::new(count, move |at| {
            let [set, part] = [(&sets, at / parts.count()), (&parts, at % parts.count())]
                .map(|(inputs, at)| inputs.get(at).unwrap_or_default());
            let part: Vec<Token> = part.iter().map(|chosen| set[*chosen as usize]).collect();
            [set, part].concat()
        }))
    }

    /// The set.
    fn group(&self, example: &[Token]) -> Vec<Token> {
        let mut set = self.set(example).to_vec();
        set.sort_unstable();
        set
    }

    fn families(&self) -> Vec<Family<'_>> {
        let place = |example: &[Token]| {
            self.set(example).iter().position(|symbol| *symbol == self.missing(example)).unwrap_or(0)
        };
        let symbol = |example: &[Token]| self.missing(example) as usize;
        let places = (1..=self.k).map(|place| format!("x{place}"));
        let mut families = vec![Family::by("place", "where in the set the missing symbol stands", self, places, place)];
        if self.symbols <= 26 {
            families.push(Family::by("symbol", "which symbol is missing", self, symbols(self.symbols), symbol));
        }
        families
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let set = draw_distinct(rng, self.k, self.symbols);
        let mut part = set.clone();
        part.shuffle(rng);
        part.truncate(self.k - 1);
        example.copy_from_slice(&self.whole(&[set, part].concat()));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        let input = [self.set(example), &example[self.k + 2..=2 * self.k]].concat();
        check_example(example, &self.complete(&input)?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, 2 * self.k - 1, self.symbols)?;
        let (set, part) = input.split_at(self.k);
        check_distinct("set", set)?;
        check_distinct("part", part)?;
        match part.iter().find(|symbol| !set.contains(symbol)) {
            None => Ok(self.whole(input)),
            Some(other) => Err(Error::invalid("part", format!("symbols of the set {set:?}"), other)),
        }
    }
}

impl TaskKind for SetDifference {
    const NAME: &'static str = "set_difference";
    const ABOUT: &'static str = "the one of k symbols that does not come again";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("k", 4)?, options.take("symbols", 16)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_heads: 2,
            d_model: 2,
            d_head: 1,
            normalization_type: Normalization::None,
            biases: Biases::NONE,
            ..Architecture::default()
        };
        let sizes = Recipe { train_size: 1 << 20, train_share: Some(0.7), batch_size: 1024, epochs: 60, ..puzzle() };
        Recipe { task: Some(self.spec()), model, lr_start: 3e-2, lr_end: 1e-4, ..sizes }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let k = config.n_ctx.checked_sub(2).filter(|both| both % 2 == 0)? / 2;
        let symbols = Token::try_from(config.d_vocab.checked_sub(2)?).ok()?;
        // Without the published set's size these are sizes that many tasks have.
        (k == 4 && symbols == 16).then(|| Self::new(k, symbols).ok())?
    }
}
