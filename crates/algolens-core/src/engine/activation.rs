//! The activation functions of MLPs.

use crate::{Scalar, model::ActFn};

/// √(2/π), of the tanh approximation of gelu (Hendrycks & Gimpel, 2016).
pub(super) const GELU_NEW_ROOT: f64 = 0.797_884_560_802_865_4;
/// The cubic coefficient of that approximation.
pub(super) const GELU_NEW_CUBIC: f64 = 0.044_715;

impl ActFn {
    /// act_fn(x).
    pub(super) fn apply<T: Scalar>(self, x: T) -> T {
        let (zero, one, half) = (T::zero(), T::one(), T::of(0.5));
        match self {
            Self::Relu => x.max(zero),
            Self::Gelu => half * x * (one + (x * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()),
            Self::GeluNew => half * x * (one + gelu_new_tanh(x)),
            Self::Silu => x / (one + (-x).exp()),
        }
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
            Self::GeluNew => {
                let tanh = gelu_new_tanh(x);
                let inner = T::of(GELU_NEW_ROOT) * (one + T::of(3.0 * GELU_NEW_CUBIC) * x * x);
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
    (T::of(GELU_NEW_ROOT) * (x + T::of(GELU_NEW_CUBIC) * x * x * x)).tanh()
}
