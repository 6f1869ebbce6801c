//! Regions: sets of lists of a class, by the options each token has.

use crate::{Asks, ClassRows, List};
use algolens_check::certificate::evidence::{tag, write_number};
use serde::{Deserialize, Serialize};

/// Number of the option bit of a token that is absent from the list.
pub const ABSENT: u32 = 15;

/// A region of a class, as options of each token. Of lists to be sorted, those in which each token takes one of its *options*,
/// a list position (bits from 0) or absence; of others, those that have at each position a token with that option.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region(Box<[u16]>);

impl Region {
    /// The whole class.
    pub fn whole(rows: &ClassRows) -> Self {
        let positions = (1 << rows.list_len()) - 1;
        if let Asks::Largest { separators } = rows.asks() {
            // The last value predicts, where there are no separators.
            let predicts = rows.class.token.filter(|_| !separators);
            let last = 1 << (rows.list_len() - 1);
            let options = rows.tokens.iter().map(|token| match predicts {
                Some(predicts) if predicts != u32::from(*token) => positions & !last,
                _ => positions,
            });
            return Self(options.collect());
        }
        let y = rows.low;
        let options = (0..rows.tokens.len()).map(|q| {
            let there_are_more =
                if q < y { rows.class.position > 1 } else { rows.class.position + 1 < rows.list_len() };
            match q {
                _ if q == y || q + 1 == rows.low => positions,
                _ if there_are_more => positions | 1 << ABSENT,
                _ => 1 << ABSENT,
            }
        });
        Self(options.collect())
    }

    /// The option bits `[token]`.
    pub fn options(&self) -> &[u16] {
        &self.0
    }

    /// The option bits `[token]`, to be restricted.
    pub fn options_mut(&mut self) -> &mut [u16] {
        &mut self.0
    }

    /// True if a list of the class is in the region.
    pub fn has(&self, rows: &ClassRows, list: &List) -> bool {
        if rows.asks() != Asks::Sorted {
            let allowed =
                |(at, token): (usize, &u16)| self.0.get(usize::from(*token)).is_some_and(|o| o >> at & 1 == 1);
            return list[..rows.list_len()].iter().enumerate().all(allowed);
        }
        let mut held = [ABSENT as u8; 1 << 8];
        let mut many = Vec::new();
        let list = &list[..rows.list_len()];
        let fits = self.0.len() <= held.len();
        for (at, token) in list.iter().enumerate() {
            let Some(q) = rows.index_of(*token) else { return false };
            if fits {
                held[q] = at as u8;
            } else {
                many.push((q, at as u8));
            }
        }
        let option = |q: usize| match fits {
            true => held[q],
            false => many.iter().find(|(held, _)| *held == q).map_or(ABSENT as u8, |(_, at)| *at),
        };
        self.0.iter().enumerate().all(|(q, options)| options >> option(q) & 1 == 1)
    }
}

/// A branching: which lists of a region its first part has; the second has the others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Split {
    /// Of lists to be sorted, those in which a token (by its number in the class) takes one of these options.
    Options {
        /// The token.
        token: usize,
        /// Bits of the options.
        options: u16,
    },
    /// Of others, those that have one of these tokens at a position.
    Tokens {
        /// The position.
        position: usize,
        /// A bit for each token of the class, from the lowest of the first byte on.
        tokens: Box<[u8]>,
    },
}

impl Split {
    /// The two parts of a region.
    pub fn parts(&self, region: &Region) -> [Region; 2] {
        let mut parts = [region.clone(), region.clone()];
        match self {
            Self::Options { token, options } => {
                parts[0].0[*token] &= options;
                parts[1].0[*token] &= !options;
            }
            Self::Tokens { position, tokens } => {
                for token in 0..region.0.len() {
                    let first = tokens[token / 8] >> (token % 8) & 1 == 1;
                    parts[usize::from(first)].0[token] &= !(1 << position);
                }
            }
        }
        parts
    }

    /// Whether it is one of a class with so many tokens, and lists of so many values.
    pub fn fits(&self, tokens: usize, list_len: usize) -> bool {
        match self {
            Self::Options { token, .. } => *token < tokens,
            Self::Tokens { position, tokens: bits } => *position < list_len && bits.len() == tokens.div_ceil(8),
        }
    }

    /// Appends its evidence.
    pub fn write(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Options { token, options } => {
                bytes.push(tag::SPLIT);
                write_number(bytes, *token as u64);
                bytes.extend(options.to_le_bytes());
            }
            Self::Tokens { position, tokens } => {
                bytes.push(tag::SPLIT_AT);
                write_number(bytes, *position as u64);
                write_number(bytes, tokens.len() as u64);
                bytes.extend(tokens);
            }
        }
    }
}
