//! Regions: sets of lists of a class, by the options each token has.

use crate::{ClassRows, List};
use serde::{Deserialize, Serialize};

/// Number of the option bit of a token that is absent from the list.
pub const ABSENT: u32 = 15;

/// A region of a class: the lists in which each token takes one of its *options*, a list position (bits from 0) or
/// absence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region(Box<[u16]>);

impl Region {
    /// The whole class.
    pub fn whole(rows: &ClassRows) -> Self {
        let positions = (1 << rows.list_len()) - 1;
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
