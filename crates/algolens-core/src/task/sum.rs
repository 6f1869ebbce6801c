//! The sum of two numbers, digit by digit (ARENA's monthly challenge of September 2023).

use super::{
    Family, Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token,
    input::{and, check_example, check_length, check_size, check_values, numbers},
};
use crate::{
    Error, Result,
    model::Config,
    random::{Twister, below},
    train::{Architecture, Recipe},
};

/// `2 9 6 8 + 1 6 0 6 = 4 5 7 4`: two numbers of so many digits, and their sum, most significant digits first.
///
/// The first digit of each number is 0 to 4, so that the sum has no more digits. Digits are their own tokens, `+` is 10 and
/// `=` is 11. `=` predicts the sum's first digit, each digit the next. Every pair of numbers is drawn alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    digits: usize,
}

const PLUS: Token = 10;
const EQUALS: Token = 11;

impl Sum {
    /// Numbers of so many digits.
    ///
    /// # Errors
    /// None, or more than 18.
    pub fn new(digits: usize) -> Result<Self> {
        check_size("digits", digits, 1, 18)?;
        Ok(Self { digits })
    }

    /// How many numbers there are: half of those of so many digits.
    fn numbers(&self) -> u64 {
        10_u64.pow(self.digits as u32) / 2
    }

    fn number(digits: &[Token]) -> u64 {
        digits.iter().fold(0, |number, digit| 10 * number + u64::from(*digit))
    }

    fn digits_of(&self, number: u64) -> Vec<Token> {
        (0..self.digits as u32).rev().map(|place| (number / 10_u64.pow(place) % 10) as Token).collect()
    }
}

impl Task for Sum {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("digits", self.digits)
    }

    fn n_ctx(&self) -> usize {
        3 * self.digits + 2
    }

    fn token_labels(&self) -> Vec<String> {
        and(numbers(10), &["+", "="])
    }

    fn roles(&self) -> Vec<Role> {
        let number = |role| std::iter::repeat_n(role, self.digits);
        let separator = || [Role::Separator];
        number(Role::Input)
            .chain(separator())
            .chain(number(Role::Input))
            .chain(separator())
            .chain(number(Role::Answer))
            .collect()
    }

    /// `2968+1606`, or two numbers parted by a comma or blanks; leading zeros may be left out.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let malformed = || Error::invalid("sum", "two numbers, as 2968+1606", format!("{text:?}"));
        let parts = text.split(|c: char| c == '+' || c == ',' || c.is_whitespace()).filter(|part| !part.is_empty());
        let parsed: Vec<u64> = parts.map(|part| part.parse().map_err(|_| malformed())).collect::<Result<_>>()?;
        let [a, b] = parsed[..] else { return Err(malformed()) };
        for number in [a, b] {
            if number >= self.numbers() {
                return Err(Error::invalid("number", format!("below {}", self.numbers()), number));
            }
        }
        Ok([self.digits_of(a), self.digits_of(b)].concat())
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (2 * self.digits + 1..3 * self.digits + 1).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        example[2 * self.digits + 2..].to_vec().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        let numbers = u128::from(self.numbers());
        Some(Inputs::new(numbers * numbers, move |at| {
            [self.digits_of((at / numbers) as u64), self.digits_of((at % numbers) as u64)].concat()
        }))
    }

    fn families(&self) -> Vec<Family<'_>> {
        // Which of the places below the first add to 9, and so pass a carry on: bit by bit, the units first.
        let nines = move |example: &[Token]| -> usize {
            let pair = |place: usize| example[self.digits - 1 - place] + example[2 * self.digits - place];
            (0..self.digits - 1).filter(|place| pair(*place) == 9).map(|place| 1 << place).sum()
        };
        let carries = move |example: &[Token]| -> usize {
            let [a, b] = [&example[..self.digits], &example[self.digits + 1..2 * self.digits + 1]].map(Self::number);
            let carried = |place: &u32| a % 10_u64.pow(*place) + b % 10_u64.pow(*place) >= 10_u64.pow(*place);
            (1..self.digits as u32).filter(carried).count()
        };
        let names = ["units", "tens", "hundreds", "thousands"];
        let named = |places: usize| match places {
            0 => "none".to_owned(),
            _ => (0..names.len())
                .filter(|place| places >> place & 1 == 1)
                .map(|place| names[place])
                .collect::<Vec<_>>()
                .join(" and "),
        };
        let by_carries =
            Family::by("carries", "how many carries there are", self, (0..self.digits).map(|n| n.to_string()), carries);
        if self.digits > names.len() {
            return vec![by_carries];
        }
        let members = (0..1 << (self.digits - 1)).map(named);
        vec![Family::by("nines", "which places of the two numbers add to 9", self, members, nines), by_carries]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let mut number =
            || -> Vec<Token> { (0..self.digits).map(|place| below(rng, if place == 0 { 5 } else { 10 })).collect() };
        let input = [number(), number()].concat();
        example.copy_from_slice(&self.whole(&input));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        check_length(example, self.n_ctx())?;
        let input = [&example[..self.digits], &example[self.digits + 1..2 * self.digits + 1]].concat();
        check_example(example, &self.complete(&input)?)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("list", input, 2 * self.digits, 10)?;
        for at in [0, self.digits] {
            if input[at] >= 5 {
                return Err(Error::invalid("a number's first digit", "0 to 4", input[at]));
            }
        }
        Ok(self.whole(input))
    }
}

impl Sum {
    /// The example of two numbers' digits.
    fn whole(&self, input: &[Token]) -> Vec<Token> {
        let (a, b) = input.split_at(self.digits);
        let sum = self.digits_of(Self::number(a) + Self::number(b));
        [a, &[PLUS], b, &[EQUALS], &sum].concat()
    }
}

impl TaskKind for Sum {
    const NAME: &'static str = "sum";
    const ABOUT: &'static str = "the digits of the sum of two numbers";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("digits", 4)?)
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, n_heads: 3, d_model: 48, d_head: 24, ..Architecture::default() };
        let sizes = Recipe { train_size: 300_000, validation_size: 5000, epochs: 100, ..Recipe::default() };
        Recipe { task: Some(self.spec()), model, lr_start: 4e-3, weight_decay: 0.0, ..sizes }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let digits = config.n_ctx.checked_sub(2).filter(|digits| digits % 3 == 0)? / 3;
        (config.d_vocab == 12 && config.d_vocab_out == 12).then(|| Self::new(digits).ok())?
    }
}
