//! Layer norm, forward and backward.

use super::{
    Pass,
    probe::{Probe, shaped, shaped_mut},
};
use crate::{
    Result, Scalar,
    engine::{hooks::HookPoint, matmul},
    model::{NormLayout, Params},
};
use ndarray::{Array2, ArrayView2, ArrayViewMut1, Dimension, IxDyn, Zip};

/// What one norm leaves for the backward pass. A row is one residual vector.
pub(super) struct NormActs<T> {
    /// (x − mean) / scale, `[row, d_model]`.
    hat: Array2<T>,
    /// √(variance + eps), `[row, 1]`.
    sigma: Array2<T>,
    /// What the rows were divided by, `[row, 1]`: `sigma`, unless a hook changed it.
    scale: Array2<T>,
    /// hat · w + b, or `hat` where the norm has no weights, `[row, d_model]`.
    pub out: Array2<T>,
}

/// A norm's two hook points, and the shape of its rows in them (`[batch, pos]` or `[batch, pos, head]`).
pub(super) struct NormPoints {
    pub scale: HookPoint,
    pub normalized: HookPoint,
    pub rows: [usize; 2],
    pub heads: Option<usize>,
}

impl NormPoints {
    fn shape(&self, width: usize) -> IxDyn {
        let [lists, positions] = self.rows;
        self.heads.map_or_else(|| IxDyn(&[lists, positions, width]), |heads| IxDyn(&[lists, positions, heads, width]))
    }
}

impl<T: Scalar> NormActs<T> {
    pub fn new(rows: usize, d_model: usize) -> Self {
        let wide = || Array2::zeros((rows, d_model));
        let narrow = || Array2::zeros((rows, 1));
        Self { hat: wide(), sigma: narrow(), scale: narrow(), out: wide() }
    }

    /// Normalizes the rows of `x`.
    pub fn forward<P: Probe<T>>(
        &mut self,
        x: ArrayView2<T>,
        pass: Pass<T>,
        weights: Option<NormLayout>,
        probe: &mut P,
        points: &NormPoints,
    ) -> Result<()> {
        let eps = T::of(pass.config.eps);
        let width = T::of(x.ncols() as f64);
        Zip::from(self.hat.rows_mut()).and(x.rows()).and(self.sigma.rows_mut()).for_each(|mut hat, x, mut sigma| {
            let mean = x.sum() / width;
            hat.assign(&x);
            hat.mapv_inplace(|x| x - mean);
            let variance = hat.iter().map(|c| *c * *c).sum::<T>() / width;
            sigma[0] = (variance + eps).sqrt();
        });
        self.scale.assign(&self.sigma);
        probe.activation(points.scale, shaped_mut(&mut self.scale, points.shape(1).slice()))?;
        for (mut hat, scale) in self.hat.rows_mut().into_iter().zip(&self.scale) {
            hat.mapv_inplace(|c| c / *scale);
        }
        self.out.assign(&self.hat);
        if let Some(NormLayout { w, b }) = weights {
            self.out *= &pass.params.get(w);
            self.out += &pass.params.get(b);
        }
        probe.activation(points.normalized, shaped_mut(&mut self.out, points.shape(x.ncols()).slice()))
    }

    /// Turns the gradient of `out` into that of `x`, in place, and adds to those of the norm's weights.
    ///
    /// With c = x − mean: d hat = d out · w, d scale = −Σ d hat · hat / scale,
    /// d c = d hat / scale + d scale · c / (d_model · sigma), d x = d c − mean(d c).
    pub fn backward<P: Probe<T>>(
        &self,
        d_out: &mut Array2<T>,
        pass: Pass<T>,
        weights: Option<NormLayout>,
        gradients: &mut Params<T>,
        probe: &mut P,
        points: &NormPoints,
    ) {
        probe.gradient(points.normalized, shaped(d_out, points.shape(d_out.ncols()).slice()));
        if let Some(NormLayout { w, b }) = weights {
            let mut d_w = gradients.get_mut(w);
            for (d_out, hat) in d_out.rows().into_iter().zip(self.hat.rows()) {
                Zip::from(&mut d_w).and(d_out).and(hat).for_each(|d_w, d, hat| *d_w += *d * *hat);
            }
            matmul::add_row_sums(gradients.get_mut(b), d_out.view());
            *d_out *= &pass.params.get(w);
        }
        let mut d_scale = probe.wants_gradient(|p| p == points.scale).then(|| self.scale.clone());
        for (row, d) in d_out.rows_mut().into_iter().enumerate() {
            let of_scale = self.row_backward(row, d);
            if let Some(d_scale) = &mut d_scale {
                d_scale[[row, 0]] = of_scale;
            }
        }
        if let Some(d_scale) = d_scale {
            probe.gradient(points.scale, shaped(&d_scale, points.shape(1).slice()));
        }
    }

    /// [`backward`](Self::backward) for the inputs of single heads: `d_out [row · head, d_model]` holds a gradient for
    /// each of `copies` heads that read a row's normalized value. Leaves the weights' gradients alone.
    pub fn backward_of_copies(&self, d_out: &mut Array2<T>, pass: Pass<T>, weights: Option<NormLayout>, copies: usize) {
        if let Some(NormLayout { w, .. }) = weights {
            *d_out *= &pass.params.get(w);
        }
        for (row, d) in d_out.rows_mut().into_iter().enumerate() {
            self.row_backward(row / copies, d);
        }
    }

    /// Turns the gradient of a row of `hat` into that of the row of x; returns that of its scale.
    fn row_backward(&self, row: usize, mut d: ArrayViewMut1<T>) -> T {
        let (hat, sigma, scale) = (self.hat.row(row), self.sigma[[row, 0]], self.scale[[row, 0]]);
        let width = T::of(d.len() as f64);
        let of_scale = -d.iter().zip(hat).map(|(d, hat)| *d * *hat).sum::<T>() / scale;
        // c = hat · scale.
        let along = of_scale * scale / (width * sigma);
        Zip::from(&mut d).and(hat).for_each(|d, hat| *d = *d / scale + along * *hat);
        let mean = d.sum() / width;
        d.mapv_inplace(|d| d - mean);
        of_scale
    }
}
