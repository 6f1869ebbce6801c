//! The order in which the unsorted list stands.

use serde::{Deserialize, Serialize};

/// Orders of the unsorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Whichever.
    #[default]
    Any,
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Order {
    /// Puts a list in this order.
    pub fn apply<T: Ord>(self, list: &mut [T]) {
        match self {
            Self::Any => {}
            Self::Ascending => list.sort_unstable(),
            Self::Descending => list.sort_unstable_by(|a, b| b.cmp(a)),
        }
    }

    /// Where the value stands that has so many smaller ones in its list. That is open where any order will do, and
    /// ascending is one of them.
    pub(super) fn position_of(self, rank: usize, list_len: usize) -> usize {
        match self {
            Self::Any | Self::Ascending => rank,
            Self::Descending => list_len - 1 - rank,
        }
    }
}
