use crate::check;
use algolens::{
    Error, Result,
    model::Config,
    random::{Twister, below, uniform24},
    task::{Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token},
};

/// START, `2·half` values, END; at END, whether the values read the same backwards (ARENA, July 2023: ten of 0 to 30).
#[derive(Clone, Copy, Debug)]
pub struct Palindromes {
    half: usize,
    max_value: Token,
}

impl Palindromes {
    fn new(half: usize, max_value: Token) -> Result<Self> {
        if !(1..=1024).contains(&half) || !(1..=4096).contains(&max_value) {
            let found = format!("{half} and {max_value}");
            return Err(Error::invalid("half and max_value", "1 to 1024 and 1 to 4096", found));
        }
        Ok(Self { half, max_value })
    }

    fn start(self) -> Token {
        self.max_value + 1
    }

    fn end(self) -> Token {
        self.max_value + 2
    }
}

impl TaskKind for Palindromes {
    const NAME: &'static str = "palindromes";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("half", 10)?, options.take("max_value", 30)?)
    }

    fn fitting(config: &Config) -> Option<Self> {
        let values = config.n_ctx.checked_sub(2).filter(|values| values % 2 == 0 && *values > 0)?;
        let max_value = u32::try_from(config.d_vocab.checked_sub(3)?).ok()?;
        Self::new(values / 2, max_value).ok()
    }
}

impl Task for Palindromes {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("half", self.half).with("max_value", self.max_value)
    }

    fn n_ctx(&self) -> usize {
        2 * self.half + 2
    }

    fn token_labels(&self) -> Vec<String> {
        (0..=self.max_value).map(|value| value.to_string()).chain(["START", "END"].map(String::from)).collect()
    }

    fn output_labels(&self) -> Vec<String> {
        ["no palindrome", "palindrome"].map(String::from).to_vec()
    }

    fn roles(&self) -> Vec<Role> {
        let mut roles = vec![Role::Input; self.n_ctx()];
        roles[0] = Role::Separator;
        roles[2 * self.half + 1] = Role::Separator;
        roles
    }

    fn predicted_positions(&self) -> Vec<usize> {
        vec![2 * self.half + 1]
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let values = &example[1..=2 * self.half];
        vec![Token::from(values.iter().eq(values.iter().rev()))].into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(2 * self.half, self.start())
    }

    /// Half are palindromes; in the others each place of the mirror is drawn anew with probability one half.
    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let values = self.max_value + 1;
        let mut input: Vec<Token> = (0..self.half).map(|_| below(rng, values)).collect();
        input.extend_from_within(..);
        input[self.half..].reverse();
        if uniform24(rng) < 0.5 {
            for value in &mut input[self.half..] {
                if uniform24(rng) < 0.5 {
                    *value = below(rng, values);
                }
            }
        }
        example[0] = self.start();
        example[1..=2 * self.half].copy_from_slice(&input);
        example[2 * self.half + 1] = self.end();
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        let ends = [self.start(), self.end()];
        match example {
            [first, input @ .., last] if [*first, *last] == ends => self.complete(input).map(drop),
            _ => Err(Error::invalid("sequence", "values between START and END", "others")),
        }
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check("list", input, 2 * self.half, self.start())?;
        Ok([&[self.start()], input, &[self.end()]].concat())
    }
}
