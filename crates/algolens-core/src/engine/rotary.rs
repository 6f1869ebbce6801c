//! Rotary positions: queries and keys turned by angles in proportion to where they stand.

use crate::{Scalar, model::Rotary};
use ndarray::Array2;
use std::ops::IndexMut;

/// The sines and cosines of a sequence's positions, `[pos][pair]`.
pub(super) struct Angles<T> {
    rotary: Rotary,
    sin_cos: Vec<Vec<[T; 2]>>,
}

/// Which way vectors are turned.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// As queries and keys are.
    Forth,
    /// As their gradients are.
    Back,
}

impl<T: Scalar> Angles<T> {
    /// Of the first `seq` positions.
    pub fn new(rotary: Rotary, seq: usize) -> Self {
        let Rotary { rotary_dim, rotary_base, .. } = rotary;
        let angle =
            |position: usize, pair: usize| position as f64 / rotary_base.powf(2.0 * pair as f64 / rotary_dim as f64);
        let pairs = |position| {
            let angles = (0..rotary_dim / 2).map(|pair| angle(position, pair));
            angles.map(|angle| [T::of(angle.sin()), T::of(angle.cos())]).collect()
        };
        Self { rotary, sin_cos: (0..seq).map(pairs).collect() }
    }

    /// Turns every head's vector of `rows [row, head · d_head]`.
    pub fn rotate(&self, rows: &mut Array2<T>, d_head: usize, turn: Turn) {
        for (row, mut heads) in rows.rows_mut().into_iter().enumerate() {
            for mut head in heads.exact_chunks_mut(d_head) {
                self.rotate_head(&mut head, row % self.sin_cos.len(), turn);
            }
        }
    }

    /// Turns one head's vector, which stands at a position.
    pub fn rotate_head<R: IndexMut<usize, Output = T> + ?Sized>(&self, head: &mut R, position: usize, turn: Turn) {
        for (pair, [sin, cos]) in self.sin_cos[position].iter().enumerate() {
            let sin = if turn == Turn::Forth { *sin } else { -*sin };
            let (at, with) = self.dimensions(pair);
            let (x, y) = (head[at], head[with]);
            head[at] = x * *cos - y * sin;
            head[with] = y * *cos + x * sin;
        }
    }

    fn dimensions(&self, pair: usize) -> (usize, usize) {
        if self.rotary.rotary_adjacent_pairs {
            (2 * pair, 2 * pair + 1)
        } else {
            (pair, pair + self.rotary.rotary_dim / 2)
        }
    }
}
