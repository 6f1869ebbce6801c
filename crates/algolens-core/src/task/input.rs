//! What the inputs of several tasks share: symbols, and how they are checked and read.

use super::{Role, Token, parse_tokens};
use crate::{Error, Result, random::Twister};
use rand::seq::SliceRandom;

/// What so many symbols are called: letters, or numbers where there are more than letters.
pub(super) fn symbols(count: Token) -> Vec<String> {
    if count <= 26 { ('a'..='z').take(count as usize).map(String::from).collect() } else { numbers(count) }
}

/// What so many numbers from 0 on are called.
pub(super) fn numbers(count: Token) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}

/// The labels with more behind them.
pub(super) fn and(mut labels: Vec<String>, more: &[&str]) -> Vec<String> {
    labels.extend(more.iter().map(|label| (*label).to_owned()));
    labels
}

/// The roles of positions that all are input, but for separators.
pub(super) fn roles(n_ctx: usize, separators: &[usize]) -> Vec<Role> {
    (0..n_ctx).map(|at| if separators.contains(&at) { Role::Separator } else { Role::Input }).collect()
}

/// Whether an option is in its range.
pub(super) fn check_size(option: &str, size: usize, least: usize, most: usize) -> Result<()> {
    if (least..=most).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid(option, format!("{least} to {most}"), size))
}

/// Whether these are so many tokens, all below `vocabulary`.
pub(super) fn check_values(what: &str, tokens: &[Token], count: usize, vocabulary: Token) -> Result<()> {
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

/// Whether no value occurs twice.
pub(super) fn check_distinct(what: &str, tokens: &[Token]) -> Result<()> {
    match (1..tokens.len()).find(|at| tokens[..*at].contains(&tokens[*at])) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(what, "distinct values", format!("{} twice", tokens[at]))),
    }
}

/// Whether a sequence has so many tokens.
pub(super) fn check_length(example: &[Token], n_ctx: usize) -> Result<()> {
    if example.len() == n_ctx {
        return Ok(());
    }
    Err(Error::invalid("sequence", format!("{n_ctx} tokens"), example.len()))
}

/// Whether a sequence is the example that its input leads to.
pub(super) fn check_example(example: &[Token], right: &[Token]) -> Result<()> {
    check_length(example, right.len())?;
    match right.iter().zip(example).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(at) => Err(Error::invalid(format!("token {at} of the sequence"), right[at].to_string(), example[at])),
    }
}

/// The tokens of a text that is written letter by letter, blanks and commas left out.
pub(super) fn parse_letters(text: &str, labels: &[String], expected: &str) -> Result<Vec<Token>> {
    let letters = text.chars().filter(|c| !c.is_whitespace() && *c != ',');
    let token = |c: char| {
        let found = labels.iter().position(|label| label.chars().eq([c])).and_then(|at| Token::try_from(at).ok());
        found.ok_or_else(|| Error::invalid("list", expected, c))
    };
    letters.map(token).collect()
}

/// The tokens of a text of symbols: letters, parted or not, or numbers parted by commas or blanks where there are more
/// symbols than letters.
pub(super) fn parse_symbols(text: &str, count: Token) -> Result<Vec<Token>> {
    let labels = symbols(count);
    if count > 26 {
        return parse_tokens(text, &labels);
    }
    parse_letters(text, &labels, &format!("letters of a to {}", labels[labels.len() - 1]))
}

/// So many different values below `vocabulary`, in random order.
pub(super) fn draw_distinct(rng: &mut Twister, count: usize, vocabulary: Token) -> Vec<Token> {
    let mut values: Vec<Token> = (0..vocabulary).collect();
    let (chosen, _) = values.partial_shuffle(rng, count);
    chosen.to_vec()
}
