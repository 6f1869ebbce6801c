//! The norms.

use crate::{
    Result, Scalar,
    engine::{
        hooks::{BlockPoint, HookPoint},
        plain::{
            activations::NormActs,
            pass::{Block, Pass, Sizes, shaped_mut},
            tracer::Tracer,
        },
    },
    model::{NormLayout, Normalization},
};
use ndarray::{ArrayView2, Zip};

/// Which norm of a model: its weights, its two hook points, and the shape `[batch, pos]` or `[batch, pos, head]` that its
/// rows have there.
pub(in super::super) struct NormPlace<'a, T> {
    pub pass: Pass<'a, T>,
    pub normalization: Normalization,
    pub weights: Option<NormLayout>,
    pub scale: HookPoint,
    pub normalized: HookPoint,
    shape: Vec<usize>,
}

impl<'a, T: Scalar> NormPlace<'a, T> {
    /// `ln1` of a block, whose rows are `row`, or `row · head` of so many heads where its inputs are split.
    pub fn ln1<R: Tracer<T>>(cx: &Block<'a, '_, T, R>, split: Option<usize>) -> Self {
        let mut place = Self::in_block(cx, BlockPoint::Ln1Scale, BlockPoint::Ln1Normalized, cx.layout.ln1);
        place.shape.extend(split);
        place
    }

    /// `ln2` of a block.
    pub fn ln2<R: Tracer<T>>(cx: &Block<'a, '_, T, R>) -> Self {
        let weights = cx.layout.mlp.as_ref().and_then(|mlp| mlp.ln2);
        Self::in_block(cx, BlockPoint::Ln2Scale, BlockPoint::Ln2Normalized, weights)
    }

    /// `mlp.ln` of a block.
    pub fn mlp<R: Tracer<T>>(cx: &Block<'a, '_, T, R>) -> Self {
        let weights = cx.layout.mlp.as_ref().and_then(|mlp| mlp.ln);
        let place = Self::in_block(cx, BlockPoint::MlpLnScale, BlockPoint::MlpLnNormalized, weights);
        Self { normalization: cx.pass.config.mlp_normalization(), ..place }
    }

    fn in_block<R: Tracer<T>>(
        cx: &Block<'a, '_, T, R>,
        scale: BlockPoint,
        normalized: BlockPoint,
        weights: Option<NormLayout>,
    ) -> Self {
        let Sizes { batch, seq, .. } = cx.pass.sizes;
        let [scale, normalized] = [cx.at(scale), cx.at(normalized)];
        let normalization = cx.pass.config.normalization_type;
        Self { pass: cx.pass, normalization, weights, scale, normalized, shape: vec![batch, seq] }
    }

    /// `ln_final`, at the predicted positions.
    pub fn last(pass: Pass<'a, T>) -> Self {
        let (scale, normalized) = (HookPoint::LnFinalScale, HookPoint::LnFinalNormalized);
        let shape = vec![pass.sizes.batch, pass.sizes.predicted];
        let (normalization, weights) = (pass.config.final_normalization(), pass.params.layout().ln_final);
        Self { pass, normalization, weights, scale, normalized, shape }
    }

    /// The shape of rows of this width for hooks.
    pub fn shape(&self, width: usize) -> Vec<usize> {
        [&self.shape[..], &[width]].concat()
    }
}

/// `out` = (x − mean) / √(variance + eps) · w + b, or x / √(mean square + eps) · w, row by row of `x [row, width]`.
pub(super) fn norm<T: Scalar, R: Tracer<T>>(
    place: &NormPlace<T>,
    acts: &mut NormActs<T>,
    x: ArrayView2<T>,
    tracer: &mut R,
) -> Result<()> {
    let (eps, width) = (T::of(place.pass.config.eps), T::of(x.ncols() as f64));
    let centers = place.normalization.centers();
    Zip::from(acts.normalized.rows_mut()).and(x.rows()).and(acts.sigma.rows_mut()).for_each(|mut row, x, mut sigma| {
        row.assign(&x);
        if centers {
            let mean = x.sum() / width;
            row.mapv_inplace(|x| x - mean);
        }
        let variance = row.iter().map(|c| *c * *c).sum::<T>() / width;
        sigma[0] = (variance + eps).sqrt();
    });
    acts.scale.assign(&acts.sigma); // [row, 1]
    tracer.activation(place.scale, shaped_mut(&mut acts.scale, &place.shape(1)))?;
    for (mut row, scale) in acts.normalized.rows_mut().into_iter().zip(&acts.scale) {
        row.mapv_inplace(|c| c / *scale); // [d_model]
    }
    acts.unedited = tracer.edits(|at| at == place.normalized).then(|| acts.normalized.clone());
    tracer.activation(place.normalized, shaped_mut(&mut acts.normalized, &place.shape(x.ncols())))?;
    acts.out.assign(&acts.normalized); // [row, d_model]
    if let Some(NormLayout { w, b }) = place.weights {
        acts.out *= &place.pass.params.get(w);
        if let Some(b) = b {
            acts.out += &place.pass.params.get(b);
        }
    }
    Ok(())
}
