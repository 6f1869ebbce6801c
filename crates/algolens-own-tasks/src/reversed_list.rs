use algolens::{
    Error, Result,
    random::{Twister, below},
    task::{Options, Role, Targets, Task, TaskKind, TaskSpec, Token},
    train::{Architecture, Recipe},
};

/// Bits, `=`, and the same bits backwards: `0 1 1 = 1 1 0`; `=` predicts the first of them, each the next.
#[derive(Clone, Copy, Debug)]
pub struct ReversedList {
    length: usize,
}

/// The token of `=`.
const EQUALS: Token = 2;

impl TaskKind for ReversedList {
    const NAME: &'static str = "reversed_list";
    const ABOUT: &'static str = "some bits backwards";

    fn from_options(options: &mut Options) -> Result<Self> {
        match options.take("length", 6)? {
            length if (1..512).contains(&length) => Ok(Self { length }),
            length => Err(Error::invalid("length", "1 to 511", length)),
        }
    }

    /// A small model learns it in seconds.
    fn recipe(&self) -> Recipe {
        let model = Architecture { d_model: 32, d_head: 16, ..Architecture::default() };
        let sizes = Recipe { train_size: 8000, validation_size: 500, batch_size: 100, epochs: 8, ..Recipe::default() };
        Recipe { task: Some(self.spec()), model, ..sizes }
    }
}

impl Task for ReversedList {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("length", self.length)
    }

    fn n_ctx(&self) -> usize {
        2 * self.length + 1
    }

    fn token_labels(&self) -> Vec<String> {
        ["0", "1", "="].map(String::from).to_vec()
    }

    fn roles(&self) -> Vec<Role> {
        let half = |role| std::iter::repeat_n(role, self.length);
        half(Role::Input).chain([Role::Separator]).chain(half(Role::Answer)).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (self.length..2 * self.length).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        example[self.length + 1..].to_vec().into()
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let bits: Vec<Token> = (0..self.length).map(|_| below(rng, 2)).collect();
        let backwards: Vec<Token> = bits.iter().rev().copied().collect();
        example.copy_from_slice(&[&bits[..], &[EQUALS], &backwards].concat());
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        if example.len() == self.n_ctx() && self.complete(&example[..self.length])? == example {
            return Ok(());
        }
        Err(Error::invalid(
            "example",
            format!("{} bits, = and the same backwards", self.length),
            format!("{example:?}"),
        ))
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        if input.len() != self.length || input.iter().any(|bit| *bit > 1) {
            return Err(Error::invalid("list", format!("{} bits", self.length), format!("{input:?}")));
        }
        let backwards: Vec<Token> = input.iter().rev().copied().collect();
        Ok([input, &[EQUALS], &backwards].concat())
    }
}
