//! Memorised trigrams among random tokens (ARENA's monthly challenge of November 2024).

mod published;

use super::{
    Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_example, check_size, check_values, numbers},
};
use crate::{
    Error, Result,
    model::{ActFn, Config, Mlp, Normalization},
    random::{self, Twister, below},
    train::{Architecture, Keep, Optimizer, Recipe, Schedule},
};
use published::PUBLISHED;
use std::collections::{BTreeMap, BTreeSet};

/// Random tokens in which, wherever a and b of a trigram stand side by side, c follows; each token predicts the next.
///
/// A token is *determined* where it ends a trigram; the others are uniform, and nobody can know them. Tokens are drawn alike;
/// then, from left to right, what follows the a and b of a trigram becomes its c.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigrams {
    length: usize,
    symbols: Token,
    set: Option<u64>,
    /// c by a and b.
    third: BTreeMap<[Token; 2], Token>,
}

impl Trigrams {
    /// How many tokens the published set is of.
    const PUBLISHED_SYMBOLS: Token = 75;
    /// Of the pairs of different tokens, the share that begins a trigram.
    const SHARE: f64 = 0.05;

    /// Sequences of `length` out of so many symbols, with the challenge's trigrams, or those that a number draws.
    ///
    /// # Errors
    /// Fewer than 3 tokens; the challenge's trigrams with another number of symbols than 75.
    pub fn new(length: usize, symbols: Token, set: Option<u64>) -> Result<Self> {
        check_size("length", length, 3, 1024)?;
        check_size("symbols", symbols as usize, 3, 1024)?;
        if set.is_none() && symbols != Self::PUBLISHED_SYMBOLS {
            return Err(Error::invalid("symbols", "75, unless a set is drawn (set=0, 1, …)", symbols));
        }
        let trigrams = set.map_or_else(|| PUBLISHED.to_vec(), |set| draw_set(symbols, set));
        Ok(Self { length, symbols, set, third: trigrams.into_iter().map(|[a, b, c]| ([a, b], c)).collect() })
    }

    /// The trigrams a, b, c, in their order.
    pub fn trigrams(&self) -> impl Iterator<Item = [Token; 3]> + '_ {
        self.third.iter().map(|([a, b], c)| [*a, *b, *c])
    }

    /// What a and b determine, if they begin a trigram.
    pub fn third(&self, a: Token, b: Token) -> Option<Token> {
        self.third.get(&[a, b]).copied()
    }

    fn write_thirds(&self, example: &mut [Token]) {
        for at in 2..example.len() {
            if let Some(third) = self.third(example[at - 2], example[at - 1]) {
                example[at] = third;
            }
        }
    }
}

/// Trigrams that a number draws: uniform ones, of which none has the a and b of another, or chains with one.
fn draw_set(symbols: Token, set: u64) -> Vec<[Token; 3]> {
    let wanted = (Trigrams::SHARE * f64::from(symbols) * f64::from(symbols - 1)) as usize;
    let mut rng = random::stream(set, "trigrams");
    let (mut begins, mut ends) = (BTreeSet::new(), BTreeSet::new());
    let mut kept = Vec::new();
    // Few are refused, as so few of all pairs begin one.
    for _ in 0..100 * wanted.max(1) {
        let [a, b, c] = [(); 3].map(|()| below(&mut rng, symbols));
        let chains =
            begins.contains(&[a, b]) || begins.contains(&[b, c]) || ends.contains(&[a, b]) || (a == b && b == c);
        if !chains && kept.len() < wanted.max(1) {
            begins.insert([a, b]);
            ends.insert([b, c]);
            kept.push([a, b, c]);
        }
    }
    kept
}

impl Task for Trigrams {
    fn spec(&self) -> TaskSpec {
        let spec = TaskSpec::new(Self::NAME).with("length", self.length).with("symbols", self.symbols);
        self.set.map_or(spec.clone(), |set| spec.with("set", set))
    }

    fn n_ctx(&self) -> usize {
        self.length
    }

    fn token_labels(&self) -> Vec<String> {
        numbers(self.symbols)
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.length - 1).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        example[1..].to_vec().into()
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        example.fill_with(|| below(rng, self.symbols));
        self.write_thirds(example);
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_values("sequence", example, self.length, self.symbols)?;
        let mut right = example.to_vec();
        self.write_thirds(&mut right);
        check_example(example, &right)
    }

    /// Tokens that contradict a trigram are replaced by what it says.
    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, self.length, self.symbols)?;
        let mut example = input.to_vec();
        self.write_thirds(&mut example);
        Ok(example)
    }
}

impl TaskKind for Trigrams {
    const NAME: &'static str = "trigrams";
    const ABOUT: &'static str = "memorised trigrams among random tokens";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(
            options.take("length", 50)?,
            options.take("symbols", Self::PUBLISHED_SYMBOLS)?,
            options.take("set", None)?,
        )
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_heads: 1,
            d_model: 32,
            d_head: 16,
            mlp: Some(Mlp { d_mlp: 20, act_fn: ActFn::Relu, gated: false }),
            normalization_type: Normalization::None,
            ..Architecture::default()
        };
        let sizes =
            Recipe { train_size: 100_000, validation_size: 5000, epochs: 250, keep: Keep::Last, ..Recipe::default() };
        let rates = Recipe { lr_schedule: Schedule::Cosine, lr_start: 1e-2, lr_end: 1e-5, ..sizes };
        // Less decay, or four times as much, loses more of the trigrams.
        Recipe { task: Some(self.spec()), model, optimizer: Optimizer::AdamW, weight_decay: 0.1, ..rates }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let symbols = Token::try_from(config.d_vocab).ok()?;
        (config.d_vocab == config.d_vocab_out).then(|| Self::new(config.n_ctx, symbols, None).ok())?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_no_two_answers_and_do_not_chain() {
        let sets = [None, Some(0), Some(1)].map(|set| Trigrams::new(50, 75, set).unwrap());
        for task in &sets {
            let all: Vec<[Token; 3]> = task.trigrams().collect();
            assert_eq!(all.len(), 277);
            assert!(
                all.iter().all(|[_, b, c]| task.third(*b, *c).is_none_or(|_| false)),
                "a trigram begins with another's end"
            );
        }
        assert_ne!(sets[1], sets[2]);
        assert!(Trigrams::new(50, 40, None).is_err() && Trigrams::new(50, 40, Some(1)).is_ok());
    }
}
