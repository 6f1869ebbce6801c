use crate::check;
use algolens::{
    Error, Result,
    model::Config,
    random::{Twister, below, uniform24},
    task::{Inputs, Options, Targets, Task, TaskKind, TaskSpec, Token},
};

/// Values of −5 to 5, value v being token v mod 11; at every position, the sign of the sum so far (ARENA, November 2023: 20
/// values).
#[derive(Clone, Copy, Debug)]
pub struct Cumsum {
    length: usize,
}

impl Cumsum {
    fn new(length: usize) -> Result<Self> {
        if (1..=4096).contains(&length) {
            Ok(Self { length })
        } else {
            Err(Error::invalid("length", "1 to 4096", length))
        }
    }
}

const LARGEST: i64 = 5;
const VALUES: i64 = 2 * LARGEST + 1;

fn value(token: Token) -> i64 {
    let token = i64::from(token);
    if token > LARGEST { token - VALUES } else { token }
}

impl TaskKind for Cumsum {
    const NAME: &'static str = "cumsum";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("length", 20)?)
    }

    fn fitting(config: &Config) -> Option<Self> {
        Self::new(config.n_ctx).ok()
    }
}

impl Task for Cumsum {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("length", self.length)
    }

    fn n_ctx(&self) -> usize {
        self.length
    }

    fn token_labels(&self) -> Vec<String> {
        (0..VALUES as Token).map(|token| value(token).to_string()).collect()
    }

    fn output_labels(&self) -> Vec<String> {
        ["negative", "zero", "positive"].map(String::from).to_vec()
    }

    /// The values themselves, never numbers of tokens.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let token = |part: &str| {
            let value = part.parse().ok().filter(|value: &i64| value.abs() <= LARGEST);
            let unknown = || Error::invalid("list", format!("values of -{LARGEST} to {LARGEST}"), part);
            value.map(|value| value.rem_euclid(VALUES) as Token).ok_or_else(unknown)
        };
        text.split(|c: char| c == ',' || c.is_whitespace()).filter(|part| !part.is_empty()).map(token).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.length).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let sums = example.iter().scan(0, |sum, token| {
            *sum += value(*token);
            Some(*sum)
        });
        sums.map(|sum: i64| (sum.signum() + 1) as Token).collect::<Vec<_>>().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.length, VALUES as Token)
    }

    /// The first value is any; each later one goes against the sum with probability 0.7, zero counting as negative.
    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let mut sum = 0;
        for (at, token) in example.iter_mut().enumerate() {
            let next = if at == 0 {
                i64::from(below(rng, VALUES as u32)) - LARGEST
            } else {
                let size = i64::from(below(rng, LARGEST as u32 + 1));
                let against = if sum > 0 { -size } else { size };
                if uniform24(rng) < 0.7 { against } else { -against }
            };
            sum += next;
            *token = next.rem_euclid(VALUES) as Token;
        }
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.complete(example).map(drop)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check("list", input, self.length, VALUES as Token)?;
        Ok(input.to_vec())
    }
}
