//! The Caesar cipher (ARENA's monthly challenge of January 2024).

mod language;
mod text;
mod words;

use super::{
    Family, Options, Targets, Task, TaskKind, TaskSpec, Token,
    input::{check_size, check_values},
};
use crate::{
    Error, Result,
    model::Config,
    random::{Twister, below},
    train::{Architecture, Recipe},
};
use language::Language;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use text::{ALPHABET, Text};
use words::{LETTERS, WORD};

/// Words, each followed by a space, in which every letter is moved on by the same rotation: `lzw sdd lzw …`; at every position,
/// the rotation of the sequence.
///
/// Letters are tokens 0 to 25 and the space is 26; at the hard level other characters follow. Rotations are drawn alike. The
/// right one of a sequence is the likeliest that turns it back into words, or into a passage of the text. Early positions can
/// often not know it.
#[derive(Clone, Debug, PartialEq)]
pub struct Caesar {
    level: Level,
    words: usize,
    language: Arc<Language>,
}

/// What words there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// The hundred commonest words of three letters of a novel, as often as they stand there.
    Easy,
    /// The same words, each alike.
    Medium,
    /// Passages of a text that the user names, from any character on.
    Hard,
}

impl Caesar {
    /// Sequences of so many words of three letters, easy or medium.
    ///
    /// # Errors
    /// No word, or more than 256; the hard level, which has a text.
    pub fn new(level: Level, words: usize) -> Result<Self> {
        check_size("words", words, 1, 256)?;
        if level == Level::Hard {
            return Err(Error::invalid("text", "a file, from which the hard level draws", "none"));
        }
        Ok(Self { level, words, language: Arc::new(Language::words(level == Level::Medium)) })
    }

    /// Passages of a text, as long as so many words of three letters.
    ///
    /// # Errors
    /// No word, or more than 256; a text that is shorter than two passages, or longer than 16 million characters.
    pub fn hard(words: usize, text: &str) -> Result<Self> {
        check_size("words", words, 1, 256)?;
        Ok(Self::of_text(words, Text::new(text, words * WORD, None)?))
    }

    fn of_text(words: usize, text: Text) -> Self {
        Self { level: Level::Hard, words, language: Arc::new(Language::Text(text)) }
    }

    /// The characters of sequences, in the order of their tokens.
    fn characters(&self) -> Vec<char> {
        if self.level == Level::Hard { ALPHABET.chars().collect() } else { ('a'..='z').chain([' ']).collect() }
    }

    /// A sequence with every letter moved on.
    pub fn rotated(example: &[Token], by: Token) -> Vec<Token> {
        let rotated = |token: &Token| if *token < LETTERS { (token + by) % LETTERS } else { *token };
        example.iter().map(rotated).collect()
    }

    /// The rotation that the words of a sequence were moved on by, if they are words.
    pub fn rotation(&self, example: &[Token]) -> Option<Token> {
        let likelihood = |by: Token| self.language.likelihood(&Self::rotated(example, LETTERS - by));
        let possible = (0..LETTERS).filter_map(|by| Some((likelihood(by)?, by)));
        possible.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, by)| by)
    }
}

impl Task for Caesar {
    fn spec(&self) -> TaskSpec {
        let level = serde_json::to_value(self.level).unwrap_or_default();
        let spec = TaskSpec::new(Self::NAME).with("level", level).with("words", self.words);
        match &*self.language {
            Language::Text(Text { file: Some((path, sha256)), .. }) => {
                spec.with("text", path.clone()).with("sha256", sha256.clone())
            }
            _ => spec,
        }
    }

    fn n_ctx(&self) -> usize {
        self.words * WORD
    }

    fn token_labels(&self) -> Vec<String> {
        let label = |c: &char| match c {
            ' ' => "_".into(),
            '\n' => "\\n".into(),
            other => other.to_string(),
        };
        self.characters().iter().map(label).collect()
    }

    fn output_labels(&self) -> Vec<String> {
        (0..LETTERS).map(|by| format!("+{by}")).collect()
    }

    /// The text itself, in which a space is a space or `_`; the last one may be left out.
    fn parse_input(&self, text: &str) -> Result<Vec<Token>> {
        let characters = self.characters();
        let token = |c: char| {
            let c = if c == '_' { ' ' } else { c };
            let found = characters.iter().position(|known| *known == c).map(|at| at as Token);
            found.ok_or_else(|| Error::invalid("text", "small letters and spaces", format!("{c:?}")))
        };
        let missing = text.chars().count() + 1 == self.n_ctx();
        text.chars().chain(missing.then_some(' ')).map(token).collect()
    }

    fn predicted_positions(&self) -> Vec<usize> {
        (0..self.n_ctx()).collect()
    }

    fn targets(&self, example: &[Token]) -> Targets {
        vec![self.rotation(example).unwrap_or(0); self.n_ctx()].into()
    }

    fn families(&self) -> Vec<Family<'_>> {
        let by = |example: &[Token]| self.rotation(example).unwrap_or(0) as usize;
        vec![Family::by("rotation", "the rotation", self, self.output_labels(), by)]
    }

    fn generate(&self, rng: &mut Twister, example: &mut [Token]) {
        let by = below(rng, LETTERS);
        self.language.write(rng, example);
        example.copy_from_slice(&Self::rotated(example, by));
    }

    fn validate(&self, example: &[Token]) -> Result<()> {
        self.complete(example).map(drop)
    }

    fn complete(&self, input: &[Token]) -> Result<Vec<Token>> {
        check_values("text", input, self.n_ctx(), self.characters().len() as Token)?;
        match self.rotation(input) {
            Some(_) => Ok(input.to_vec()),
            None => Err(Error::invalid("text", "words of the task, all rotated alike", "others")),
        }
    }
}

impl TaskKind for Caesar {
    const NAME: &'static str = "caesar";
    const ABOUT: &'static str = "how far the letters of some words are rotated";

    fn from_options(options: &mut Options) -> Result<Self> {
        let (level, words) = (options.take("level", Level::Easy)?, options.take("words", 8)?);
        let (text, sha256): (Option<String>, Option<String>) =
            (options.take("text", None)?, options.take("sha256", None)?);
        match (level, text) {
            (Level::Hard, Some(path)) => {
                check_size("words", words, 1, 256)?;
                Ok(Self::of_text(words, Text::of_file(&path, words * WORD, sha256.as_deref())?))
            }
            (Level::Hard, None) | (_, None) => Self::new(level, words),
            (_, Some(path)) => Err(Error::invalid("text", "none, but at the hard level", path)),
        }
    }

    fn recipe(&self) -> Recipe {
        let model = Architecture { n_layers: 2, d_model: 48, d_head: 24, ..Architecture::default() };
        Recipe { task: Some(self.spec()), model, epochs: 30, weight_decay: 0.001, ..Recipe::default() }
    }

    fn fitting(config: &Config) -> Option<Self> {
        let words = Some(config.n_ctx / WORD).filter(|words| words * WORD == config.n_ctx)?;
        (config.d_vocab == 27 && config.d_vocab_out == 26).then(|| Self::new(Level::Easy, words).ok())?
    }
}
