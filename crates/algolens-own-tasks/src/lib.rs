//! Tasks from outside the library: those of three of ARENA's monthly challenges, as their authors drew them.

mod cumsum;
mod first_unique;
mod palindromes;

pub use cumsum::Cumsum;
pub use first_unique::FirstUnique;
pub use palindromes::Palindromes;

use algolens::{
    Error, Result,
    task::{Registry, Token},
};

/// Our tasks and these.
pub fn registry() -> Registry {
    Registry::default().with::<Palindromes>().with::<FirstUnique>().with::<Cumsum>()
}

/// Whether these are as many tokens as there should be, all below `vocabulary`.
fn check(what: &str, tokens: &[Token], count: usize, vocabulary: Token) -> Result<()> {
    if tokens.len() != count {
        return Err(Error::invalid(what, format!("{count} values"), tokens.len()));
    }
    match tokens.iter().position(|token| *token >= vocabulary) {
        None => Ok(()),
        Some(at) => {
            let expected = format!("below {vocabulary}");
            Err(Error::invalid(format!("value {} of the {what}", at + 1), expected, tokens[at]))
        }
    }
}
