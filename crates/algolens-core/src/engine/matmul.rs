//! Matrix products and sums, single-threaded: chunks of a batch are what runs in parallel.

use crate::Scalar;
use ndarray::{ArrayView2, ArrayViewMut1, ArrayViewMut2};

/// c ← a b.
pub fn set<T: Scalar>(c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>) {
    product(c, a, b, T::one(), false);
}

/// c ← scale · a b.
pub fn set_scaled<T: Scalar>(c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>, scale: T) {
    product(c, a, b, scale, false);
}

/// c ← c + a b.
pub fn add<T: Scalar>(c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>) {
    product(c, a, b, T::one(), true);
}

/// c ← c + scale · a b.
pub fn add_scaled<T: Scalar>(c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>, scale: T) {
    product(c, a, b, scale, true);
}

/// sum ← sum + the sum of the rows.
pub fn add_row_sums<T: Scalar>(mut sum: ArrayViewMut1<T>, rows: ArrayView2<T>) {
    for row in rows.rows() {
        sum += &row;
    }
}

/// # Panics
/// If the shapes do not make a product; engines check what users give before they come here.
fn product<T: Scalar>(c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>, scale: T, keep: bool) {
    let ((m, k), (k_b, n)) = (a.dim(), b.dim());
    assert!(k == k_b && c.dim() == (m, n), "{:?} = {:?} × {:?}", c.dim(), a.dim(), b.dim());
    // The kernels want columns of the result to be apart and its rows together; cᵀ = bᵀ aᵀ has them so.
    if c.strides()[1].abs() < c.strides()[0].abs() {
        return product_of_columns(c.reversed_axes(), b.reversed_axes(), a.reversed_axes(), scale, keep);
    }
    product_of_columns(c, a, b, scale, keep);
}

/// [`product`], fastest where the columns of `c` are contiguous.
fn product_of_columns<T: Scalar>(mut c: ArrayViewMut2<T>, a: ArrayView2<T>, b: ArrayView2<T>, scale: T, keep: bool) {
    let ((m, k), n) = (a.dim(), b.ncols());
    // SAFETY: `product` has asserted that `a` is [m, k], `b` [k, n] and `c` [m, n]. For all indices below these dimensions
    // an ndarray view's pointer and strides reach its own live elements only; `c` is a unique borrow, so no element of it
    // is one of `a` or `b`. `T::gemm()` multiplies matrices of `T`: the trait is sealed, and both implementations take
    // the kernel of their own type.
    unsafe {
        T::gemm()(
            m,
            n,
            k,
            c.as_mut_ptr(),
            c.strides()[1],
            c.strides()[0],
            keep,
            a.as_ptr(),
            a.strides()[1],
            a.strides()[0],
            b.as_ptr(),
            b.strides()[1],
            b.strides()[0],
            T::one(),
            scale,
            false,
            false,
            false,
            gemm_common::Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, s};
    use proptest::prelude::*;

    proptest! {
        /// Against ndarray's own product, through transposed and strided views.
        #[test]
        fn products_agree_with_ndarray(m in 1_usize..9, k in 1_usize..9, n in 1_usize..9, scale in -2.0..2.0) {
            let a = Array2::from_shape_fn((k, m), |(i, j)| (i * 7 + j * 3) as f64 % 5.0 - 2.0);
            let b = Array2::from_shape_fn((k, 2 * n), |(i, j)| (i * 5 + j * 11) as f64 % 7.0 - 3.0);
            let strided = b.slice(s![.., ..;2]);
            let expected = a.t().dot(&strided);
            let mut c = Array2::from_elem((m, n), 1.0);
            add(c.view_mut(), a.t(), strided);
            prop_assert!((&c - &expected - 1.0).iter().all(|d: &f64| d.abs() < 1e-12));
            set_scaled(c.view_mut(), a.t(), strided, scale);
            prop_assert!((&c - &(&expected * scale)).iter().all(|d: &f64| d.abs() < 1e-12));
        }
    }
}
