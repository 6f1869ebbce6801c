//! The sign of a running sum (ARENA's monthly challenge of November 2023).

use super::{
    Family, Inputs, Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_size, check_values},
};
use crate::{
    Error, Result,
    model::{ActFn, Config, Mlp, Normalization},
    random::{Twister, below, uniform24},
    train::{Architecture, Keep, Recipe},
};

/// Whole numbers of −`largest` to `largest`; at every position, whether the sum so far is negative, zero or positive.
///
/// Value v is token v mod (2 · `largest` + 1), as the challenge's author had it by indexing from the end. The first value is
/// any; each later one goes against the sum so far with probability 0.7, zero counting as negative, so that sums stay small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CumulativeSum {
    length: usize,
    largest: u32,
}

impl CumulativeSum {
    /// Sequences of `length` values.
    ///
    /// # Errors
    /// More than 4096, or values above 1000.
    pub fn new(length: usize, largest: u32) -> Result<Self> {
        check_size("length", length, 1, 4096)?;
        check_size("largest", largest as usize, 1, 1000)?;
        Ok(Self { length, largest })
    }

    fn values(&self) -> Token {
        2 * self.largest + 1
    }

    /// The value of a token.
    pub fn value(&self, token: Token) -> i64 {
        let value = i64::from(token);
        if token > self.largest { value - i64::from(self.values()) } else { value }
    }

    fn token(&self, value: i64) -> Token {
        value.rem_euclid(i64::from(self.values())) as Token
    }
}

impl Task for CumulativeSum {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("length", self.length).with("largest", self.largest)
    }

    fn n_ctx(&self) -> usize {
        self.length
    }

    fn token_labels(&self) -> Vec<String> {
        (0..self.values()).map(|token| self.value(token).to_string()).collect()
    }

    fn output_labels(&self) -> Vec<String> {
        ["negative", "zero", "positive"].map(String::from).to_vec()
    }

    /// The values themselves, never numbers of tokens.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let largest = i64::from(self.largest);
        let token = |part: &str| {
            let value = part.parse().ok().filter(|value: &i64| (-largest..=largest).contains(value));
            let unknown = || Error::invalid("list", format!("values of -{largest} to {largest}"), part);
            value.map(|value| self.token(value)).ok_or_else(unknown)
        };
        text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()).map(token).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.length).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let sums = example.iter().scan(0, |sum, token| {
            *sum += self.value(*token);
            Some(*sum)
        });
        sums.map(|sum: i64| (sum.signum() + 1) as Token).collect::<Vec<_>>().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.length, self.values())
    }

    fn families(&self) -> Vec<Family<'_>> {
        const FAR: i64 = 5;
        let names = (-FAR..=FAR).map(|sum| match sum.abs() {
            FAR if sum < 0 => format!("{sum} or less"),
            FAR => format!("{sum} or more"),
            _ => sum.to_string(),
        });
        let sum = move |example: &[Token]| example.iter().map(|token| self.value(*token)).sum::<i64>();
        vec![Family::by("sum", "the sum of all values", self, names, move |example| {
            (sum(example).clamp(-FAR, FAR) + FAR) as usize
        })]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let mut sum = 0;
        for (at, token) in example.iter_mut().enumerate() {
            let next = if at == 0 {
                i64::from(below(rng, self.values())) - i64::from(self.largest)
            } else {
                let size = i64::from(below(rng, self.largest + 1));
                let against = if sum > 0 { -size } else { size };
                if uniform24(rng) < 0.7 { against } else { -against }
            };
            sum += next;
            *token = self.token(next);
        }
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.complete(example).map(drop)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, self.length, self.values())?;
        Ok(input.to_vec())
    }
}

impl TaskKind for CumulativeSum {
    const NAME: &'static str = "cumulative_sum";
    const ABOUT: &'static str = "the sign of the sum so far";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("length", 20)?, options.take("largest", 5)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture {
            n_heads: 1,
            d_model: 24,
            d_head: 12,
            mlp: Some(Mlp { d_mlp: 8, act_fn: ActFn::Relu, gated: false }),
            normalization_type: Normalization::None,
            ..Architecture::default()
        };
        Recipe { task: Some(self.spec()), model, epochs: 20, keep: Keep::Loss, weight_decay: 0.01, ..Recipe::default() }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let largest = u32::try_from(config.d_vocab.checked_sub(1).filter(|values| values % 2 == 0)? / 2).ok()?;
        (config.d_vocab_out == 3).then_some(())?;
        Self::new(config.n_ctx, largest).ok()
    }
}
