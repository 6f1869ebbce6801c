//! The norms, over padded rows.

use super::matrix::Matrix;
use crate::{
    engine::vector::{Numbers, add_to, dot, get, lanes, lanes_mut, numbers, padded, scale_row},
    model::Normalization,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// The weight and bias of a norm, padded; or the gradients by them.
#[derive(Clone)]
pub struct Affine {
    pub w: Numbers,
    pub b: Numbers,
}

impl Affine {
    /// Of a weight, and of a bias that may be empty.
    pub fn new(w: &[f32], b: &[f32]) -> Self {
        let pad = |values: &[f32]| {
            let mut row = numbers(padded(w.len()), 0.0);
            row[..values.len()].copy_from_slice(values);
            row
        };
        Self { w: pad(w), b: pad(b) }
    }
}

/// What a norm leaves for the way back.
pub struct Norm {
    /// Whether the mean is taken out.
    centers: bool,
    /// (x − mean) / σ, or x / σ.
    hat: Matrix,
    /// 1/σ of each row.
    inverse: Vec<f32>,
    /// hat · w + b, where there are weights.
    out: Option<Matrix>,
}

impl Norm {
    /// A norm of this kind, for so many rows; none where there is none.
    pub fn of(normalization: Normalization, rows: usize, width: usize) -> Option<Self> {
        (normalization != Normalization::None).then(|| Self {
            centers: normalization.centers(),
            hat: Matrix::new(rows, width),
            inverse: vec![0.0; rows],
            out: normalization.has_weight().then(|| Matrix::new(rows, width)),
        })
    }

    /// The normalised rows.
    pub fn out(&self) -> &Matrix {
        self.out.as_ref().unwrap_or(&self.hat)
    }

    /// Normalises the first `rows` rows of x.
    #[simd]
    pub fn forward<S: Simd>(&mut self, simd: S, x: &Matrix, rows: usize, affine: Option<&Affine>, eps: f32) {
        let width = x.width;
        for (((x, hat), inverse), row) in x.rows().zip(self.hat.rows_mut()).zip(&mut self.inverse).zip(0..rows) {
            let mut sum = S::f32s::splat(simd, 0.0);
            if self.centers {
                for x in lanes::<S>(x) {
                    sum += get(simd, x);
                }
            }
            let mean = S::f32s::splat(simd, sum.reduce_sum() / width as f32);
            for (hat, x) in lanes_mut::<S>(hat).zip(lanes::<S>(x)) {
                (get(simd, x) - mean).store_slice(hat);
            }
            hat[width..].fill(0.0);
            *inverse = (dot(simd, hat, hat) / width as f32 + eps).sqrt().recip();
            scale_row(simd, hat, *inverse);
            if let (Some(out), Some(Affine { w, b })) = (&mut self.out, affine) {
                let norm_weights = lanes::<S>(w).zip(lanes::<S>(b));
                for ((out, hat), (w, b)) in lanes_mut::<S>(out.row_mut(row)).zip(lanes::<S>(hat)).zip(norm_weights) {
                    get(simd, hat).mul_add(get(simd, w), get(simd, b)).store_slice(out);
                }
            }
        }
    }

    /// Turns the gradient of the first `rows` normalised rows into that of x, in place, and adds to those of the weights.
    ///
    /// With d hat = d out · w: d x = (d hat − mean(d hat) − hat · mean(d hat · hat)) / σ; where the mean stays, so does that of
    /// d hat.
    #[simd]
    pub fn backward<S: Simd>(
        &self,
        simd: S,
        d: &mut Matrix,
        rows: usize,
        affine: Option<&Affine>,
        gradient: Option<&mut Affine>,
    ) {
        let width = d.width;
        if let (Some(Affine { w, .. }), Some(gradient)) = (affine, gradient) {
            for (d, hat) in d.first_mut(rows).chunks_exact_mut(padded(width)).zip(self.hat.rows()) {
                let norm_weights =
                    lanes::<S>(w).zip(lanes_mut::<S>(&mut gradient.w)).zip(lanes_mut::<S>(&mut gradient.b));
                for ((d, hat), ((w, d_w), d_b)) in lanes_mut::<S>(d).zip(lanes::<S>(hat)).zip(norm_weights) {
                    let d_out = get(simd, d);
                    add_to(simd, d_w, d_out * get(simd, hat));
                    add_to(simd, d_b, d_out);
                    (d_out * get(simd, w)).store_slice(d);
                }
            }
        }
        let rows = d.first_mut(rows).chunks_exact_mut(padded(width));
        for ((d, hat), inverse) in rows.zip(self.hat.rows()).zip(&self.inverse) {
            let (mut sum, mut along) = (S::f32s::splat(simd, 0.0), S::f32s::splat(simd, 0.0));
            for (d, hat) in lanes::<S>(d).zip(lanes::<S>(hat)) {
                let d = get(simd, d);
                sum += d;
                along = d.mul_add(get(simd, hat), along);
            }
            let sum = if self.centers { sum.reduce_sum() } else { 0.0 };
            let mean = S::f32s::splat(simd, sum / width as f32);
            let along = S::f32s::splat(simd, -along.reduce_sum() / width as f32);
            for (d, hat) in lanes_mut::<S>(d).zip(lanes::<S>(hat)) {
                (get(simd, hat).mul_add(along, get(simd, d) - mean) * *inverse).store_slice(d);
            }
            d[width..].fill(0.0);
        }
    }
}
