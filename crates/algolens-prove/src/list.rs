//! The unsorted lists that are verified.

/// The longest list that can be verified: states of the dynamic program are sets of its positions.
pub const MOST_VALUES: usize = 12;

/// An unsorted list: the token at each position; positions from the list's length on are 0.
pub(super) type List = [u16; MOST_VALUES];
