//! The numbers a model computes with: f32 (as trained) or f64 (to check f32, and for exact work).

use sealed::Sealed;

use ndarray::{LinalgScalar, ScalarOperand};
use num_traits::Float;
use std::{
    fmt::{Debug, Display},
    iter::Sum,
    ops::{AddAssign, DivAssign, MulAssign, SubAssign},
};

/// A kernel that multiplies matrices: sizes m, n, k; the result, its column and row strides, and whether it is read; the
/// two factors with theirs; the numbers that the old result and the product are multiplied by; what is conjugated (nothing
/// here); threads.
pub(crate) type Gemm<T> = unsafe fn(
    usize,
    usize,
    usize,
    *mut T,
    isize,
    isize,
    bool,
    *const T,
    isize,
    isize,
    *const T,
    isize,
    isize,
    T,
    T,
    bool,
    bool,
    bool,
    gemm_common::Parallelism,
);

mod sealed {
    /// f32 and f64 alone: `matmul` rests on it.
    pub trait Sealed: Sized {
        /// The kernel for matrices of this type, for this processor.
        fn gemm() -> super::Gemm<Self>;
    }

    impl Sealed for f32 {
        fn gemm() -> super::Gemm<Self> {
            gemm_f32::gemm::f32::get_gemm_fn()
        }
    }

    impl Sealed for f64 {
        fn gemm() -> super::Gemm<Self> {
            gemm_f64::gemm::f64::get_gemm_fn()
        }
    }
}

/// f32 or f64; sealed.
pub trait Scalar:
    Sealed
    + Float
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
