//! What heads of the first block copy, by their OV circuits.

use crate::{Shown, circuits};
use algolens_core::{Result, model::Model};
use ndarray::{ArrayView1, ArrayView2};

/// How many of the shown tokens each head of the first block copies: attending to one boosts its own class most of all classes.
pub(super) fn copied(model: &Model, shown: &Shown) -> Result<Vec<usize>> {
    /// As many rows over all classes as stay small.
    const AT_A_TIME: usize = 64;
    let config = model.config();
    let mut copied = vec![0; config.n_heads];
    for tokens in shown.tokens.chunks(AT_A_TIME) {
        let rows = Shown { tokens: tokens.to_vec(), classes: Shown::all(config).classes };
        let ov = circuits(model, 0, &rows)?.W_OV_full;
        for (copied, ov) in copied.iter_mut().zip(ov.outer_iter()) {
            *copied += peaks(ov).filter(|(row, peak)| tokens[*row] as usize == *peak).count();
        }
    }
    Ok(copied)
}

/// The place of the largest number in each row, NaN left out.
pub(crate) fn peaks(matrix: ArrayView2<f32>) -> impl Iterator<Item = (usize, usize)> {
    let largest = |row: ArrayView1<f32>| {
        let numbers = row.into_iter().enumerate().filter(|(_, number)| !number.is_nan());
        numbers.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at)
    };
    let peaks: Vec<usize> = matrix.outer_iter().map(largest).collect();
    peaks.into_iter().enumerate()
}
