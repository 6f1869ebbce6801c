//! Whether a list is a palindrome (ARENA's monthly challenge of July 2023, and that of EAGx Berlin).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_size, check_values, numbers, roles},
};
use crate::{
    Result,
    model::Config,
    random::{Twister, below, uniform24},
    train::{Architecture, Recipe},
};

/// `START`, twice `half_length` values, `END`; at `END`, whether the values read the same backwards.
///
/// Values are the tokens 0 to `max_value`, then come `START` and `END`. Half of the lists are drawn as palindromes; in the others
/// each place of the mirrored half is drawn anew with probability one half.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palindrome {
    half_length: usize,
    max_value: Token,
}

impl Palindrome {
    /// Lists of twice `half_length` values of 0 to `max_value`.
    ///
    /// # Errors
    /// None, more than 1024 a half, or values above 4096.
    pub fn new(half_length: usize, max_value: Token) -> Result<Self> {
        check_size("half_length", half_length, 1, 1024)?;
        check_size("max_value", max_value as usize, 1, 4096)?;
        Ok(Self { half_length, max_value })
    }

    /// Values of half a list.
    pub fn half_length(&self) -> usize {
        self.half_length
    }

    /// The pairs of positions k and n_ctx − 1 − k whose values differ, by k from 1 on: pair 1 is the outermost.
    pub fn broken_pairs(&self, example: &[Token]) -> Vec<usize> {
        (1..=self.half_length).filter(|k| example[*k] != example[self.n_ctx() - 1 - k]).collect()
    }

    fn start(&self) -> Token {
        self.max_value + 1
    }

    fn end(&self) -> Token {
        self.max_value + 2
    }

    fn whole(&self, input: &[Token]) -> Vec<Token> {
        [&[self.start()], input, &[self.end()]].concat()
    }
}

impl Task for Palindrome {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("half_length", self.half_length).with("max_value", self.max_value)
    }

    fn n_ctx(&self) -> usize {
        2 * self.half_length + 2
    }

    fn token_labels(&self) -> Vec<String> {
        and(numbers(self.max_value + 1), &["START", "END"])
    }

    fn output_labels(&self) -> Vec<String> {
        ["no palindrome", "palindrome"].map(String::from).to_vec()
    }

    fn roles(&self) -> Vec<Role> {
        roles(self.n_ctx(), &[0, 2 * self.half_length + 1])
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2 * self.half_length + 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![Token::from(self.broken_pairs(example).is_empty())].into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(2 * self.half_length, self.start())
    }

    fn families(&self) -> Vec<Family<'_>> {
        let pairs = 1..=self.half_length;
        let broken = move |broken: Vec<usize>| {
            move |rng: &mut Twister| {
                let half: Vec<Token> = (0..self.half_length).map(|_| below(rng, self.start())).collect();
                let mut input: Vec<Token> = half.iter().chain(half.iter().rev()).copied().collect();
                for pair in &broken {
                    let value = &mut input[2 * self.half_length - pair];
                    *value = (*value + 1 + below(rng, self.max_value)) % self.start();
                }
                Some(input)
            }
        };
        let one = Family::new("broken_pair", "which mirror pair differs").with("none", broken(Vec::new()));
        let one = pairs.clone().fold(one, |family, k| family.with(k.to_string(), broken(vec![k])));
        let one = one.told_by(move |example| match self.broken_pairs(example)[..] {
            [] => Some(0),
            [k] => Some(k),
            _ => None,
        });
        if self.half_length < 2 || self.half_length > 12 {
            return vec![one];
        }
        let all: Vec<[usize; 2]> = pairs.flat_map(|k| (1..k).map(move |j| [j, k])).collect();
        let two = Family::new("broken_pairs", "which two mirror pairs differ");
        let two = all.iter().fold(two, |family, [j, k]| family.with(format!("{j}+{k}"), broken(vec![*j, *k])));
        let two = two.told_by(move |example| {
            let broken = self.broken_pairs(example);
            if broken.len() == 2 { all.iter().position(|both| broken == both) } else { None }
        });
        vec![one, two]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let values = self.max_value + 1;
        let mut input: Vec<Token> = (0..self.half_length).map(|_| below(rng, values)).collect();
        input.extend_from_within(..);
        input[self.half_length..].reverse();
        if uniform24(rng) < 0.5 {
            for value in &mut input[self.half_length..] {
                if uniform24(rng) < 0.5 {
                    *value = below(rng, values);
                }
            }
        }
        example.copy_from_slice(&self.whole(&input));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        let end = example.len().saturating_sub(1);
        check_example(example, &self.complete(example.get(1..end).unwrap_or_default())?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, 2 * self.half_length, self.start())?;
        Ok(self.whole(input))
    }
}

impl TaskKind for Palindrome {
    const NAME: &'static str = "palindrome";
    const ABOUT: &'static str = "whether a list reads the same backwards";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("half_length", 10)?, options.take("max_value", 30)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, d_model: 28, d_head: 14, ..Architecture::default() };
        Recipe {
            task: Some(self.spec()),
            model,
            train_size: 100_000,
            epochs: 40,
            weight_decay: 0.001,
            ..Recipe::default()
        }
    }

    /// Of values 0 to 30, as is published.
    fn fitting(config: &Config) -> Option<Self> {
        let values = config.n_ctx.checked_sub(2).filter(|values| values % 2 == 0)?;
        (config.d_vocab == 33 && config.d_vocab_out == 2).then(|| Self::new(values / 2, 30).ok())?
    }
}
