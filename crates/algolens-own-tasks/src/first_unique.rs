use crate::check;
use algolens::{
    Error, Result,
    model::Config,
    random::{Twister, below},
    task::{Inputs, Options, Role, Targets, Task, TaskKind, TaskSpec, Token},
};

/// `?` and letters; at every position, the first letter so far that stands there once so far, or `?` (ARENA, August 2023: 19
/// letters of a to j).
#[derive(Clone, Copy, Debug)]
pub struct FirstUnique {
    length: usize,
    letters: Token,
}

impl TaskKind for FirstUnique {
    const NAME: &'static str = "first_unique";

    fn from_options(options: &mut Options) -> Result<Self> {
        Self::new(options.take("length", 19)?, options.take("letters", 10)?)
    }

    fn fitting(config: &Config) -> Option<Self> {
        Self::new(config.n_ctx.checked_sub(1)?, Token::try_from(config.d_vocab.checked_sub(1)?).ok()?).ok()
    }
}

impl FirstUnique {
    fn new(length: usize, letters: Token) -> Result<Self> {
        if !(1..=1024).contains(&length) || !(1..=26).contains(&letters) {
            return Err(Error::invalid(
                "length and letters",
                "1 to 1024 and 1 to 26",
                format!("{length} and {letters}"),
            ));
        }
        Ok(Self { length, letters })
    }
}

impl Task for FirstUnique {
    fn spec(&self) -> TaskSpec {
        TaskSpec::new(Self::NAME).with("length", self.length).with("letters", self.letters)
    }

    fn n_ctx(&self) -> usize {
        self.length + 1
    }

    fn token_labels(&self) -> Vec<String> {
        ('a'..='z').take(self.letters as usize).chain(['?']).map(String::from).collect()
    }

    fn roles(&self) -> Vec<Role> {
        let mut roles = vec![Role::Input; self.n_ctx()];
        roles[0] = Role::Separator;
        roles
    }

    /// Letters, parted or not.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let labels = self.token_labels();
        let letters = text.chars().filter(|c| !c.is_whitespace() && *c != ',');
        let token = |c: char| {
            let found = labels.iter().position(|label| *label == c.to_string());
            let expected = || format!("letters of a to {}", labels[self.letters as usize - 1]);
            found.map(|token| token as Token).ok_or_else(|| Error::invalid("list", expected(), c))
        };
        letters.map(token).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.n_ctx()).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        let first_unique = |seen: &[Token]| {
            let once = |letter: &&Token| seen.iter().filter(|other| other == letter).count() == 1;
            seen.iter().find(once).copied().unwrap_or(self.letters)
        };
        (0..example.len()).map(|position| first_unique(&example[1..=position])).collect::<Vec<_>>().into()
    }

    fn inputs(&self) -> Option<Inputs<'_>> {
        Inputs::sequences(self.length, self.letters)
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        example[0] = self.letters;
        example[1..].fill_with(|| below(rng, self.letters));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        match example {
            [first, input @ ..] if *first == self.letters => self.complete(input).map(drop),
            _ => Err(Error::invalid("sequence", "letters after ?", "others")),
        }
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check("list", input, self.length, self.letters)?;
        Ok([&[self.letters], input].concat())
    }
}
