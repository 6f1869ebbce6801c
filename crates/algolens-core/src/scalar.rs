//! The numbers a model computes with: f32 (as trained) or f64 (to check f32, and for exact work).

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::Float;
use std::{
    fmt::{Debug, Display},
    iter::Sum,
    ops::{AddAssign, DivAssign, MulAssign, SubAssign},
};

/// f32 or f64.
pub trait Scalar:
    Float
    + LinalgScalar
    + ScalarOperand
    + AddAssign
    + SubAssign
    + MulAssign
    + DivAssign
    + Sum
    + Default
    + Debug
    + Display
    + Send
    + Sync
{
    /// The nearest number to `x`.
    fn of(x: f64) -> Self;
    /// This number, exactly.
    fn as_f64(self) -> f64;
    /// The error function.
    fn erf(self) -> Self;
}

impl Scalar for f32 {
    fn of(x: f64) -> Self {
        x as Self
    }
    fn as_f64(self) -> f64 {
        self.into()
    }
    fn erf(self) -> Self {
        libm::erff(self)
    }
}

impl Scalar for f64 {
    fn of(x: f64) -> Self {
        x
    }
    fn as_f64(self) -> f64 {
        self
    }
    fn erf(self) -> Self {
        libm::erf(self)
    }
}
