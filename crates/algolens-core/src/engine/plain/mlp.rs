//! The MLP of a block, forward and backward.

use super::{
    Pass,
    norm::{NormActs, NormPoints},
    probe::{Probe, Sizes, in_block},
    workspace::Scratch,
};
use crate::{
    Result, Scalar,
    engine::{hooks::BlockPoint, matmul},
    model::{ActFn, Config, MlpLayout, Params},
};
use ndarray::{Array2, Zip};

/// Activations of one MLP.
pub(super) struct MlpActs<T> {
    /// `[row, d_model]`.
    pub resid_mid: Array2<T>,
    /// `[row, d_model]`.
    input: Array2<T>,
    ln2: Option<NormActs<T>>,
    /// `[row, d_mlp]`.
    pre: Array2<T>,
    /// `[row, d_mlp]`.
    post: Array2<T>,
    /// `[row, d_model]`.
    pub out: Array2<T>,
}

impl<T: Scalar> MlpActs<T> {
    pub fn new(config: &Config, d_mlp: usize, rows: usize) -> Self {
        let wide = || Array2::zeros((rows, config.d_model));
        let hidden = || Array2::zeros((rows, d_mlp));
        Self {
            resid_mid: wide(),
            input: wide(),
            ln2: config.has_norms().then(|| NormActs::new(rows, config.d_model)),
            pre: hidden(),
            post: hidden(),
            out: wide(),
        }
    }

    /// `out` from `resid_mid`.
    pub fn forward<P: Probe<T>>(&mut self, pass: Pass<T>, layer: usize, probe: &mut P) -> Result<()> {
        let Pass { params, sizes, .. } = pass;
        let (mlp, at) = (layout(pass, layer), in_block(layer));
        self.input.assign(&self.resid_mid);
        sizes.show(probe, at(BlockPoint::MlpIn), &mut self.input)?;
        let normed = match &mut self.ln2 {
            Some(ln2) => {
                ln2.forward(self.input.view(), pass, mlp.ln2, probe, &points(layer, sizes))?;
                &ln2.out
            }
            None => &self.input,
        };
        matmul::set(self.pre.view_mut(), normed.view(), params.get(mlp.W_in));
        self.pre += &params.get(mlp.b_in);
        sizes.show(probe, at(BlockPoint::MlpPre), &mut self.pre)?;
        let act_fn = act_fn(pass.config);
        Zip::from(&mut self.post).and(&self.pre).for_each(|post, pre| *post = act_fn.of(*pre));
        sizes.show(probe, at(BlockPoint::MlpPost), &mut self.post)?;
        matmul::set(self.out.view_mut(), self.post.view(), params.get(mlp.W_out));
        self.out += &params.get(mlp.b_out);
        sizes.show(probe, at(BlockPoint::MlpOut), &mut self.out)
    }

    /// Adds to `scratch.resid`, the gradient of `resid_post`, what reaches the residual stream through the MLP.
    pub fn backward<P: Probe<T>>(
        &self,
        pass: Pass<T>,
        layer: usize,
        scratch: &mut Scratch<T>,
        gradients: &mut Params<T>,
        probe: &mut P,
    ) {
        let Pass { params, sizes, .. } = pass;
        let (mlp, at) = (layout(pass, layer), in_block(layer));
        let hidden = scratch.hidden.as_mut().expect("allocated for models with an MLP");
        let d_out = &scratch.resid;
        sizes.show_gradient(probe, at(BlockPoint::MlpOut), d_out);
        matmul::add(gradients.get_mut(mlp.W_out), self.post.t(), d_out.view());
        matmul::add_row_sums(gradients.get_mut(mlp.b_out), d_out.view());
        matmul::set(hidden.view_mut(), d_out.view(), params.get(mlp.W_out).t());
        sizes.show_gradient(probe, at(BlockPoint::MlpPost), hidden);
        let act_fn = act_fn(pass.config);
        Zip::from(&mut *hidden).and(&self.pre).for_each(|d, pre| *d *= act_fn.derivative(*pre));
        sizes.show_gradient(probe, at(BlockPoint::MlpPre), hidden);
        let normed = self.ln2.as_ref().map_or(&self.input, |ln2| &ln2.out);
        matmul::add(gradients.get_mut(mlp.W_in), normed.t(), hidden.view());
        matmul::add_row_sums(gradients.get_mut(mlp.b_in), hidden.view());
        matmul::set(scratch.normed.view_mut(), hidden.view(), params.get(mlp.W_in).t());
        if let Some(ln2) = &self.ln2 {
            ln2.backward(&mut scratch.normed, pass, mlp.ln2, gradients, probe, &points(layer, sizes));
        }
        sizes.show_gradient(probe, at(BlockPoint::MlpIn), &scratch.normed);
        scratch.resid += &scratch.normed;
        sizes.show_gradient(probe, at(BlockPoint::ResidMid), &scratch.resid);
    }
}

fn layout<T: Scalar>(pass: Pass<'_, T>, layer: usize) -> &MlpLayout {
    pass.params.layout().blocks[layer].mlp.as_ref().expect("only models with an MLP run one")
}

fn act_fn(config: &Config) -> ActFn {
    config.mlp.expect("only models with an MLP have its activations").act_fn
}

fn points(layer: usize, sizes: Sizes) -> NormPoints {
    let at = in_block(layer);
    NormPoints {
        scale: at(BlockPoint::Ln2Scale),
        normalized: at(BlockPoint::Ln2Normalized),
        rows: [sizes.lists, sizes.seq],
        heads: None,
    }
}

/// √(2/π) and the cubic coefficient of the tanh approximation of gelu (Hendrycks & Gimpel, 2016).
const GELU_NEW: (f64, f64) = (0.797_884_560_802_865_4, 0.044_715);

impl ActFn {
    fn of<T: Scalar>(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu => x.max(zero),
            Self::Gelu => half * x * (one + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()),
            Self::GeluNew => half * x * (one + gelu_new_tanh(x)),
            Self::Silu => x / (one + (-x).exp()),
        }
    }

    fn derivative<T: Scalar>(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu if x > zero => one,
            Self::Relu => zero,
            Self::Gelu => {
                let density = (-half * x * x).exp() * T::of((2.0 * std::f64::consts::PI).sqrt().recip());
                half * (one + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()) + x * density
            }
            Self::GeluNew => {
                let (root, cubic) = GELU_NEW;
                let tanh = gelu_new_tanh(x);
                let inner = T::of(root) * (one + T::of(3.0 * cubic) * x * x);
                half * (one + tanh) + half * x * (one - tanh * tanh) * inner
            }
            Self::Silu => {
                let sigmoid = one / (one + (-x).exp());
                sigmoid * (one + x * (one - sigmoid))
            }
        }
    }
}

fn gelu_new_tanh<T: Scalar>(x: T) -> T {
    let (root, cubic) = GELU_NEW;
    (T::of(root) * (x + T::of(cubic) * x * x * x)).tanh()
}
