//! Rows padded to whole vectors.

use crate::engine::{
    products::{Rows, RowsMut},
    vector::{Numbers, add_scaled, get, lanes, lanes_mut, numbers, padded},
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::{ArrayView2, ArrayViewMut2, s};

/// Rows of `width` numbers, each padded to the next whole vector (with zeros, unless who writes them says otherwise).
pub struct Matrix {
    pub width: usize,
    data: Numbers,
}

impl Matrix {
    /// Room for this many rows, all zeros.
    pub fn new(rows: usize, width: usize) -> Self {
        Self { width, data: numbers(rows * padded(width), 0.0) }
    }

    /// From the start of one row to that of the next.
    pub fn stride(&self) -> usize {
        padded(self.width)
    }

    /// The first `rows` rows, padding included.
    pub fn first(&self, rows: usize) -> &[f32] {
        &self.data[..rows * self.stride()]
    }

    /// The first `rows` rows, padding included.
    pub fn first_mut(&mut self, rows: usize) -> &mut [f32] {
        let end = rows * self.stride();
        &mut self.data[..end]
    }

    /// One row, padding included.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[f32] {
        let stride = self.stride();
        &self.data[row * stride..(row + 1) * stride]
    }

    /// One row, padding included.
    #[inline(always)]
    pub fn row_mut(&mut self, row: usize) -> &mut [f32] {
        let stride = self.stride();
        &mut self.data[row * stride..(row + 1) * stride]
    }

    /// The rows one after another, padding included.
    pub fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.data.chunks_exact(padded(self.width))
    }

    /// The rows one after another, padding included.
    pub fn rows_mut(&mut self) -> impl Iterator<Item = &mut [f32]> {
        let stride = self.stride();
        self.data.chunks_exact_mut(stride)
    }

    /// The rows from `first` on and the columns from `column` on, for products in registers.
    #[inline(always)]
    pub fn part(&self, first: usize, column: usize) -> Rows<'_> {
        Rows { data: &self.data[first * self.stride() + column..], stride: self.stride() }
    }

    /// The same to be written.
    #[inline(always)]
    pub fn part_mut(&mut self, first: usize, column: usize) -> RowsMut<'_> {
        let stride = self.stride();
        RowsMut { data: &mut self.data[first * stride + column..], stride }
    }

    /// The first `rows` rows without padding, for large products.
    pub fn view(&self, rows: usize) -> ArrayView2<'_, f32> {
        let all = ArrayView2::from_shape((rows, self.stride()), self.first(rows)).expect("rows of this stride");
        all.slice_move(s![.., ..self.width])
    }

    /// The first `rows` rows without padding, for large products.
    pub fn view_mut(&mut self, rows: usize) -> ArrayViewMut2<'_, f32> {
        let (width, stride) = (self.width, self.stride());
        let all = ArrayViewMut2::from_shape((rows, stride), self.first_mut(rows)).expect("rows of this stride");
        all.slice_move(s![.., ..width])
    }
}

/// Adds the first `count` rows of `from` to the rows `to`, or to the chosen ones of them.
#[simd]
pub fn add_rows<S: Simd>(simd: S, to: &mut Matrix, chosen: Option<&[usize]>, from: &Matrix, count: usize) {
    for (at, row) in from.rows().take(count).enumerate() {
        add_scaled(simd, to.row_mut(chosen.map_or(at, |chosen| chosen[at])), row, 1.0);
    }
}

/// a ← a · b, number by number.
#[simd]
pub fn multiply<S: Simd>(simd: S, a: &mut [f32], b: &[f32]) {
    for (a, b) in lanes_mut::<S>(a).zip(lanes::<S>(b)) {
        (get(simd, a) * get(simd, b)).store_slice(a);
    }
}
