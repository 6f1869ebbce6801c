//! The norms, from their end.

use crate::{
    Scalar,
    engine::{
        matmul,
        plain::{activations::NormActs, forward::NormPlace, pass::shaped, tracer::Tracer},
    },
    model::{NormLayout, Params},
};
use ndarray::{Array2, ArrayViewMut1, Zip};

/// Turns the gradient of the norm's output into that of its input x, in place, and adds to those of its weights.
///
/// With c = x − mean and n = c / scale: d n = d out · w, d scale = −Σ d n · n / scale,
/// d c = d n / scale + d scale · c / (width · sigma), d x = d c − mean(d c); where the mean stays, c = x and d x = d c.
pub(super) fn norm<T: Scalar, R: Tracer<T>>(
    place: &NormPlace<T>,
    acts: &NormActs<T>,
    d_out: &mut Array2<T>,
    gradients: &mut Params<T>,
    tracer: &mut R,
) {
    if let Some(NormLayout { w, b }) = place.weights {
        let mut d_w = gradients.get_mut(w); // [d_model]
        for (d_out, normalized) in d_out.rows().into_iter().zip(acts.normalized.rows()) {
            Zip::from(&mut d_w).and(d_out).and(normalized).for_each(|d_w, d, n| *d_w += *d * *n);
        }
        if let Some(b) = b {
            matmul::add_row_sums(gradients.get_mut(b), d_out.view());
        }
        *d_out *= &place.pass.params.get(w);
    }
    tracer.gradient(place.normalized, shaped(d_out, &place.shape(d_out.ncols())));
    let mut d_scale = tracer.wants_gradient(|point| point == place.scale).then(|| acts.scale.clone()); // [row, 1]
    for (row, d) in d_out.rows_mut().into_iter().enumerate() {
        let d_row_scale = acts.row_backward(row, d, place.normalization.centers());
        if let Some(d_scale) = &mut d_scale {
            d_scale[[row, 0]] = d_row_scale;
        }
    }
    if let Some(d_scale) = d_scale {
        tracer.gradient(place.scale, shaped(&d_scale, &place.shape(1)));
    }
}

/// [`norm`] for the inputs of single heads: `d_out [row · head, width]` holds a gradient for each of `heads` that read a
/// row's normalized value. Leaves the weights' gradients alone.
pub(super) fn norm_of_copies<T: Scalar>(place: &NormPlace<T>, acts: &NormActs<T>, d_out: &mut Array2<T>, heads: usize) {
    if let Some(NormLayout { w, .. }) = place.weights {
        *d_out *= &place.pass.params.get(w);
    }
    for (row, d) in d_out.rows_mut().into_iter().enumerate() {
        acts.row_backward(row / heads, d, place.normalization.centers());
    }
}

impl<T: Scalar> NormActs<T> {
    /// Turns the gradient of a normalized row into that of the row of x; returns that of its scale.
    fn row_backward(&self, row: usize, mut d: ArrayViewMut1<T>, centers: bool) -> T {
        let n = self.unedited.as_ref().unwrap_or(&self.normalized).row(row); // [d_model]
        let (sigma, scale) = (self.sigma[[row, 0]], self.scale[[row, 0]]);
        let width = T::of(d.len() as f64);
        let d_scale = -d.iter().zip(n).map(|(d, n)| *d * *n).sum::<T>() / scale;
        // c = n · scale.
        let along = d_scale * scale / (width * sigma);
        Zip::from(&mut d).and(n).for_each(|d, n| *d = *d / scale + along * *n);
        if centers {
            let mean = d.sum() / width;
            d.mapv_inplace(|d| d - mean);
        }
        d_scale
    }
}
