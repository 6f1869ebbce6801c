//! Rows of the residual stream.

use super::matrix::Matrix;

/// Rows of the residual stream as the inputs of a block.
#[derive(Clone, Copy)]
pub struct Stream<'a> {
    /// `[row, d_model]`.
    pub x: &'a Matrix,
    /// How many are meant.
    pub rows: usize,
    /// The position at which each row stands.
    pub positions: &'a [usize],
    /// The rows that queries are computed from, where these are not all.
    pub queries: Option<&'a [usize]>,
}
