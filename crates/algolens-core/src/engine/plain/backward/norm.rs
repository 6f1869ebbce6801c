//! Layer norm, from its end.

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
/// With c = x − mean: d hat = d out · w, d scale = −Σ d hat · hat / scale,
/// d c = d hat / scale + d scale · c / (d_model · sigma), d x = d c − mean(d c).
pub(super) fn norm<T: Scalar, R: Tracer<T>>(
    place: &NormPlace<T>,
    acts: &NormActs<T>,
    d_out: &mut Array2<T>,
    gradients: &mut Params<T>,
    tracer: &mut R,
) {
    tracer.gradient(place.normalized, shaped(d_out, &place.shape(d_out.ncols())));
    if let Some(NormLayout { w, b }) = place.weights {
        let mut d_w = gradients.get_mut(w); // [d_model]
        for (d_out, hat) in d_out.rows().into_iter().zip(acts.hat.rows()) {
            Zip::from(&mut d_w).and(d_out).and(hat).for_each(|d_w, d, hat| *d_w += *d * *hat);
        }
        matmul::add_row_sums(gradients.get_mut(b), d_out.view());
        *d_out *= &place.pass.params.get(w);
    }
    let mut d_scale = tracer.wants_gradient(|point| point == place.scale).then(|| acts.scale.clone()); // [row, 1]
    for (row, d) in d_out.rows_mut().into_iter().enumerate() {
        let d_row_scale = acts.row_backward(row, d);
        if let Some(d_scale) = &mut d_scale {
            d_scale[[row, 0]] = d_row_scale;
        }
    }
    if let Some(d_scale) = d_scale {
        tracer.gradient(place.scale, shaped(&d_scale, &place.shape(1)));
    }
}

/// [`norm`] for the inputs of single heads: `d_out [row · head, d_model]` holds a gradient for each of `heads` that read a
/// row's normalized value. Leaves the weights' gradients alone.
pub(super) fn norm_of_copies<T: Scalar>(place: &NormPlace<T>, acts: &NormActs<T>, d_out: &mut Array2<T>, heads: usize) {
    if let Some(NormLayout { w, .. }) = place.weights {
        *d_out *= &place.pass.params.get(w);
    }
    for (row, d) in d_out.rows_mut().into_iter().enumerate() {
        acts.row_backward(row / heads, d);
    }
}

impl<T: Scalar> NormActs<T> {
    /// Turns the gradient of a row of `hat` into that of the row of x; returns that of its scale.
    fn row_backward(&self, row: usize, mut d: ArrayViewMut1<T>) -> T {
        let (hat, sigma, scale) = (self.hat.row(row), self.sigma[[row, 0]], self.scale[[row, 0]]);
        let width = T::of(d.len() as f64);
        let d_scale = -d.iter().zip(hat).map(|(d, hat)| *d * *hat).sum::<T>() / scale;
        // c = hat · scale.
        let along = d_scale * scale / (width * sigma);
        Zip::from(&mut d).and(hat).for_each(|d, hat| *d = *d / scale + along * *hat);
        let mean = d.sum() / width;
        d.mapv_inplace(|d| d - mean);
        d_scale
    }
}
