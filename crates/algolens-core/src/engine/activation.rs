//! The activation functions of MLPs.

use crate::{Scalar, model::ActFn};

/// √(2/π), of the tanh approximation of gelu (Hendrycks & Gimpel, 2016).
pub(super) const GELU_NEW_ROOT: f64 = 0.797_884_560_802_865_4;
/// The same to ten digits, as the `gelu_fast` of the field has it.
pub(super) const GELU_FAST_ROOT: f64 = 0.797_884_560_8;
/// The cubic coefficient of that approximation.
pub(super) const GELU_NEW_CUBIC: f64 = 0.044_715;

impl ActFn {
    /// act_fn(x).
    pub(super) fn apply<T: Scalar>(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu => x.max(zero),
            Self::Gelu => half * x * (one + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()),
            Self::GeluNew => half * x * (one + gelu_tanh(x, GELU_NEW_ROOT)),
            Self::GeluFast => half * x * (one + gelu_tanh(x, GELU_FAST_ROOT)),
            Self::Silu => x / (one + (-x).exp()),
            Self::Solu | Self::SoluLn => T::nan(),
        }
    }

    /// Whether it acts on whole rows of the hidden layer: [`apply`](Self::apply) and [`derivative`](Self::derivative) are
    /// not of those.
    pub(super) fn by_row(self) -> bool {
        matches!(self, Self::Solu | Self::SoluLn)
    }

    /// Its derivative at x.
    pub(super) fn derivative<T: Scalar>(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu if x > zero => one,
            Self::Relu => zero,
            Self::Gelu => {
                let density = (-half * x * x).exp() * T::of((2.0 * std::f64::consts::PI).sqrt().recip());
                half * (one + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()) + x * density
            }
            Self::GeluNew => gelu_tanh_derivative(x, GELU_NEW_ROOT),
            Self::GeluFast => gelu_tanh_derivative(x, GELU_FAST_ROOT),
            Self::Silu => {
                let sigmoid = one / (one + (-x).exp());
                sigmoid * (one + x * (one - sigmoid))
            }
            Self::Solu | Self::SoluLn => T::nan(),
        }
    }
}

fn gelu_tanh<T: Scalar>(x: T, root: f64) -> T {
    (T::of(root) * (x + T::of(GELU_NEW_CUBIC) * x * x * x)).tanh()
}

fn gelu_tanh_derivative<T: Scalar>(x: T, root: f64) -> T {
    let (one, half, tanh) = (T::one(), T::of(0.5), gelu_tanh(x, root));
    let inner = T::of(root) * (one + T::of(3.0 * GELU_NEW_CUBIC) * x * x);
    half * (one + tanh) + half * x * (one - tanh * tanh) * inner
}
