//! Where the numbers of one head stand among those of all.

use super::pass::{Pass, Sizes};
use crate::Scalar;
use ndarray::{Array2, ArrayView2, ArrayView3, ArrayViewMut2, Ix2, SliceInfo, SliceInfoElem, s};

/// A copy of every row for every head: `[row · head, width]` of `rows [row, width]`.
pub(super) fn copy_for_heads<T: Scalar>(rows: &Array2<T>, heads: usize) -> Array2<T> {
    Array2::from_shape_fn((rows.nrows() * heads, rows.ncols()), |(row, column)| rows[[row / heads, column]])
}

/// rows ← rows + Σ over heads of `by_head [row · head, width]`.
pub(super) fn add_heads<T: Scalar>(rows: &mut Array2<T>, by_head: &Array2<T>, heads: usize) {
    for head in 0..heads {
        *rows += &by_head.slice(s![head..;heads, ..]);
    }
}

/// The columns of one head of `rows [row, head · d_head]`: `[row, d_head]`.
pub(super) fn head_columns_mut<T>(rows: &mut Array2<T>, head: usize, d_head: usize) -> ArrayViewMut2<'_, T> {
    rows.slice_mut(s![.., head * d_head..(head + 1) * d_head])
}

/// A slice of rows and columns.
pub(super) type HeadRows = SliceInfo<[SliceInfoElem; 2], Ix2, Ix2>;

/// The slice of one sequence and head of `[row, head · d_head]`: `[pos, d_head]`. Of keys and values the head is one of
/// those that have their own.
pub(super) fn head_block<T: Scalar>(pass: Pass<T>, sequence: usize, head: usize) -> HeadRows {
    let (seq, d_head) = (pass.sizes.seq, pass.config.d_head);
    s![sequence * seq..(sequence + 1) * seq, head * d_head..(head + 1) * d_head]
}

/// Every (sequence, head) pair.
pub(super) fn sequences_and_heads(sizes: Sizes) -> impl Iterator<Item = (usize, usize)> {
    (0..sizes.batch).flat_map(move |sequence| (0..sizes.heads).map(move |head| (sequence, head)))
}

/// W_O `[head, d_head, d_model]` as `[head · d_head, d_model]`.
pub(super) fn flat_output<T>(w_o: ArrayView3<'_, T>) -> ArrayView2<'_, T> {
    let (heads, d_head, d_model) = w_o.dim();
    w_o.into_shape_with_order((heads * d_head, d_model)).expect("a whole tensor is contiguous")
}
