//! Which tokens and classes are shown where the vocabulary is drawn.

use algolens::{Error, Result, interpret::Shown, task::Token};

/// The flags of tokens and classes to show.
#[derive(clap::Args)]
pub struct ShownFlags {
    /// Tokens to show where the vocabulary is drawn: names or numbers, and runs of them, such as 0..9,SEP [default: all;
    /// in a study of more than 512 those of its examples]
    #[arg(long, value_name = "TOKENS")]
    show_tokens: Option<String>,
    /// Output classes to show [default: as the tokens where they are the same; else all, or those of the examples]
    #[arg(long, value_name = "CLASSES")]
    show_classes: Option<String>,
}

impl ShownFlags {
    /// Whether any flag says what to show.
    pub fn given(&self) -> bool {
        self.show_tokens.is_some() || self.show_classes.is_some()
    }

    /// What the flags ask for, by the names of tokens and classes; nothing of what no flag says.
    ///
    /// # Errors
    /// Names what is no token or class.
    pub fn asked(&self, tokens: &[String], classes: &[String]) -> Result<Shown> {
        let read = |flag: &str, asked: &Option<String>, names: &[String]| {
            asked.as_ref().map_or_else(|| Ok(Vec::new()), |asked| numbers(flag, asked, names))
        };
        Ok(Shown {
            tokens: read("--show-tokens", &self.show_tokens, tokens)?,
            classes: read("--show-classes", &self.show_classes, classes)?,
        })
    }
}

/// The numbers of names, numbers and runs (`from..to`, both ends included) between commas.
fn numbers(flag: &str, asked: &str, names: &[String]) -> Result<Vec<Token>> {
    let one = |name: &str| {
        let named = names.iter().position(|other| other == name);
        named.or_else(|| name.parse().ok().filter(|number| *number < names.len()))
    };
    let unknown = |part: &str| {
        let expected = format!("names, numbers below {}, or runs such as 0..9", names.len());
        Error::invalid(flag, expected, format!("{part:?}"))
    };
    let mut numbers = Vec::new();
    for part in asked.split(',').map(str::trim) {
        let ends = one(part).map(|number| (number, number)).or_else(|| {
            let (from, to) = part.split_once("..")?;
            Some((one(from.trim())?, one(to.trim())?)).filter(|(from, to)| from <= to)
        });
        let (from, to) = ends.ok_or_else(|| unknown(part))?;
        numbers.extend(from as Token..=to as Token);
    }
    Ok(numbers)
}
