//! Orders of the unsorted list.

use serde::{Deserialize, Serialize};

/// Constraint on the order of the unsorted list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Any order.
    #[default]
    Any,
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

impl Order {
    /// Sorts a list into this order; no change for [`Any`](Self::Any).
    pub fn apply<T: Ord>(self, list: &mut [T]) {
        match self {
            Self::Any => {}
            Self::Ascending => list.sort_unstable(),
            Self::Descending => list.sort_unstable_by(|a, b| b.cmp(a)),
        }
    }

    /// The list position of the value of a rank; for [`Any`](Self::Any), where it is free, that of ascending lists.
    pub(super) fn position_of(self, rank: usize, list_len: usize) -> usize {
        match self {
            Self::Any | Self::Ascending => rank,
            Self::Descending => list_len - 1 - rank,
        }
    }
}
