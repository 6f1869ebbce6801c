//! What plain texts are made of: words, or passages of a text.

use super::{
    text::Text,
    words::{SPACE, WORD, WORDS},
};
use crate::{
    random::{Twister, below},
    task::Token,
};
use std::collections::BTreeMap;

/// What plain texts are made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Language {
    /// Words of three letters, each with a space behind it.
    Words(Words),
    /// Passages of a text.
    Text(Text),
}

/// Words, with how often each is drawn out of how many draws.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Words {
    counts: BTreeMap<Vec<Token>, u32>,
    draws: u32,
}

impl Language {
    /// The challenge's words, as often as they stand in its novel, or each alike.
    pub fn words(alike: bool) -> Self {
        let letters = |word: &str| word.bytes().map(|letter| Token::from(letter - b'a')).collect();
        let counts = WORDS.iter().map(|(word, count)| (letters(word), if alike { 1 } else { *count }));
        let counts: BTreeMap<_, _> = counts.collect();
        Self::Words(Words { draws: counts.values().sum(), counts })
    }

    /// Writes a passage.
    pub fn write(&self, rng: &mut Twister, passage: &mut [Token]) {
        match self {
            Self::Words(words) => passage.chunks_mut(WORD).for_each(|word| words.write(rng, word)),
            Self::Text(text) => text.write(rng, passage),
        }
    }

    /// How likely a passage is, as the logarithm of a probability but for a constant; none where it cannot be.
    pub fn likelihood(&self, passage: &[Token]) -> Option<f64> {
        match self {
            Self::Words(words) => passage.chunks(WORD).map(|word| words.likelihood(word)).sum(),
            Self::Text(text) => Some(text.likelihood(passage)),
        }
    }
}

impl Words {
    fn write(&self, rng: &mut Twister, word: &mut [Token]) {
        let mut left = below(rng, self.draws);
        for (letters, count) in &self.counts {
            if left < *count {
                word[..WORD - 1].copy_from_slice(letters);
                word[WORD - 1] = SPACE;
                return;
            }
            left -= count;
        }
    }

    fn likelihood(&self, word: &[Token]) -> Option<f64> {
        let [letters @ .., SPACE] = word else { return None };
        self.counts.get(letters).map(|count| f64::from(*count).ln())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;

    #[test]
    fn words_are_drawn_as_often_as_they_should() {
        let mut rng = random::stream(0, "test/words");
        let mut passage = [0; 8];
        // 1985 of the counted words are "the", and one of a hundred.
        let counted: u32 = WORDS.iter().map(|(_, count)| count).sum();
        for (alike, share) in [(false, 1985.0 / f64::from(counted)), (true, 0.01)] {
            let language = Language::words(alike);
            let mut the = 0;
            for _ in 0..20_000 {
                language.write(&mut rng, &mut passage);
                the += passage.chunks(WORD).filter(|word| word[..3] == [19, 7, 4]).count();
            }
            let spread = (40_000.0 * share * (1.0 - share)).sqrt();
            assert!((the as f64 - 40_000.0 * share).abs() < 5.0 * spread, "{the} of 40 000, not {share}");
        }
    }
}
