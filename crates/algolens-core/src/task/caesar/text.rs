//! A text that passages are drawn from.

use super::words::LETTERS;
use crate::{
    Error, Result,
    random::{Twister, below},
    task::Token,
};

/// The characters of texts: letters, and what stands between them; the order is the challenge's.
pub(super) const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyz\n .,:;?!'\"";
const CHARACTERS: usize = 36;

/// A text, in small letters and without characters that have no token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Text {
    tokens: Vec<Token>,
    /// Tokens of a passage.
    length: usize,
    /// What stands for each passage of that length, ascending.
    passages: Vec<u64>,
    /// The logarithm of how often each character follows each, `[first · characters + second]`, once more than it does.
    pairs: Vec<f64>,
    /// The path of its file, and the SHA-256 of what the file holds.
    pub file: Option<(String, String)>,
}

impl Text {
    /// The most characters: each has a passage that begins there.
    const MOST: usize = 1 << 24;

    /// A text for passages of so many characters.
    ///
    /// # Errors
    /// A text that is shorter than two passages, or longer than 16 million characters.
    pub fn new(text: &str, length: usize, file: Option<(String, String)>) -> Result<Self> {
        let straight = |c: char| match c {
            '“' | '”' => '"',
            '‘' | '’' => '\'',
            other => other.to_ascii_lowercase(),
        };
        let token = |c: char| ALPHABET.chars().position(|known| known == c).map(|at| at as Token);
        let tokens: Vec<Token> = text.chars().map(straight).filter_map(token).collect();
        if tokens.len() < 2 * length || tokens.len() > Self::MOST {
            let expected = format!("{} to {} characters", 2 * length, Self::MOST);
            return Err(Error::invalid("text", expected, tokens.len()));
        }
        let mut passages: Vec<u64> = tokens.windows(length).map(stands_for).collect();
        passages.sort_unstable();
        passages.dedup();
        let mut pairs = vec![1.0_f64; CHARACTERS * CHARACTERS];
        tokens.windows(2).for_each(|pair| pairs[at(pair)] += 1.0);
        pairs.iter_mut().for_each(|count| *count = count.ln());
        Ok(Self { tokens, length, passages, pairs, file })
    }

    /// The text of a file.
    ///
    /// # Errors
    /// A file that cannot be read, or that holds another text than the one of this SHA-256.
    #[cfg(feature = "files")]
    pub fn of_file(path: &str, length: usize, expected: Option<&str>) -> Result<Self> {
        use crate::train::DataSource;
        let file = std::path::Path::new(path);
        // A checkpoint may name it: nothing that could be waited for is opened.
        if file.exists() && !file.is_file() {
            return Err(Error::invalid("text", "a file", path));
        }
        let bytes = crate::files::read(file)?;
        let sha256 = DataSource::new(path, &bytes).sha256;
        if let Some(expected) = expected.filter(|expected| *expected != sha256) {
            return Err(Error::invalid(path, format!("the text of SHA-256 {expected}"), sha256));
        }
        Self::new(&String::from_utf8_lossy(&bytes), length, Some((path.into(), sha256)))
    }

    /// The text of a file: a library without files has none.
    #[cfg(not(feature = "files"))]
    pub fn of_file(path: &str, _: usize, _: Option<&str>) -> Result<Self> {
        Err(Error::invalid("text", "none: this build reads no files", path))
    }

    /// Writes a passage, each alike.
    pub fn write(&self, rng: &mut Twister, passage: &mut [Token]) {
        let begin = below(rng, (self.tokens.len() - self.length + 1) as u32) as usize;
        passage.copy_from_slice(&self.tokens[begin..begin + self.length]);
    }

    /// How likely a passage is by its pairs of characters; one that stands in the text is likelier than any that does not.
    pub fn likelihood(&self, passage: &[Token]) -> f64 {
        const STANDS_THERE: f64 = 1e9;
        let known = self.passages.binary_search(&stands_for(passage)).is_ok();
        passage.windows(2).map(|pair| self.pairs[at(pair)]).sum::<f64>() + if known { STANDS_THERE } else { 0.0 }
    }
}

fn at(pair: &[Token]) -> usize {
    pair[0] as usize * CHARACTERS + pair[1] as usize
}

/// A number that stands for a passage (FNV-1a).
fn stands_for(passage: &[Token]) -> u64 {
    passage.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, token| {
        debug_assert!(*token < LETTERS + 10, "a character");
        (hash ^ u64::from(*token)).wrapping_mul(0x100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn passages_of_the_text_are_known() {
        let text = Text::new("The cat — it's “Tom's”, not\nmine: so there!", 10, None).unwrap();
        let back: String = text.tokens.iter().map(|token| ALPHABET.chars().nth(*token as usize).unwrap()).collect();
        assert_eq!(back, "the cat  it's \"tom's\", not\nmine: so there!");
        let mut passage = [0; 10];
        text.write(&mut random::stream(0, "test/text"), &mut passage);
        assert!(text.likelihood(&passage) > 1e8);
        passage[0] = (passage[0] + 1) % LETTERS;
        assert!(text.likelihood(&passage) < 1e8);
        assert!(Text::new("too short", 10, None).is_err());
    }
}
