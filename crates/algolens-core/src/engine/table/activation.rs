//! The activation functions of MLPs, vector by vector.

use crate::{
    engine::{
        activation::{GELU_FAST_ROOT, GELU_NEW_CUBIC, GELU_NEW_ROOT},
        softmax::softmax,
        vector::{exp, get, lanes, lanes_mut},
    },
    model::ActFn,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;

/// act_fn(x), and its derivative there.
#[inline(always)]
pub fn act_fn<S: Simd>(simd: S, act_fn: ActFn, x: S::f32s) -> (S::f32s, S::f32s) {
    let of = |number: f32| S::f32s::splat(simd, number);
    match act_fn {
        ActFn::Relu => {
            let positive = of(0.0).simd_lt(x);
            (positive.select(x, of(0.0)), positive.select(of(1.0), of(0.0)))
        }
        ActFn::Silu => {
            let share = sigmoid(simd, x);
            (x * share, share * (x * (of(1.0) - share) + 1.0))
        }
        ActFn::Gelu => {
            let share = erf(simd, x * std::f32::consts::FRAC_1_SQRT_2) * 0.5 + 0.5;
            let density =
                exp(simd, x * x * -0.5) * (0.5 * std::f32::consts::FRAC_2_SQRT_PI * std::f32::consts::FRAC_1_SQRT_2);
            (x * share, x.mul_add(density, share))
        }
        ActFn::GeluNew | ActFn::GeluFast => {
            let root = if act_fn == ActFn::GeluNew { ROOT } else { FAST_ROOT };
            let squared = x * x;
            let inner = x * (squared * CUBIC + 1.0) * root;
            // ½ (1 + tanh y) is the logistic function of 2 y.
            let share = sigmoid(simd, inner + inner);
            let slope = (squared * (3.0 * CUBIC) + 1.0) * (2.0 * root);
            (x * share, share * (x * (of(1.0) - share) * slope + 1.0))
        }
        // These are no functions of one number; see [`solu`].
        ActFn::Solu | ActFn::SoluLn => (of(f32::NAN), of(f32::NAN)),
    }
}

/// y ← x · p with p = softmax(x), of one row of `width` numbers whose padding is zero, and stays so.
#[simd]
pub fn solu<S: Simd>(simd: S, x: &[f32], width: usize, p: &mut [f32], y: &mut [f32]) {
    p.copy_from_slice(x);
    p[width..].fill(f32::NEG_INFINITY);
    softmax(simd, p);
    for ((y, x), p) in lanes_mut::<S>(y).zip(lanes::<S>(x)).zip(lanes::<S>(p)) {
        (get(simd, x) * get(simd, p)).store_slice(y);
    }
}

/// Turns the gradient of [`solu`]'s y into that of x: d x = p · (d y · (1 + x) − Σ d y · x · p).
#[simd]
pub fn solu_backward<S: Simd>(simd: S, x: &[f32], p: &[f32], d: &mut [f32]) {
    let mut along = S::f32s::splat(simd, 0.0);
    for ((d, x), p) in lanes::<S>(d).zip(lanes::<S>(x)).zip(lanes::<S>(p)) {
        along = (get(simd, d) * get(simd, x)).mul_add(get(simd, p), along);
    }
    let along = S::f32s::splat(simd, along.reduce_sum());
    for ((d, x), p) in lanes_mut::<S>(d).zip(lanes::<S>(x)).zip(lanes::<S>(p)) {
        (get(simd, p) * (get(simd, d) * (get(simd, x) + 1.0) - along)).store_slice(d);
    }
}

/// cap · tanh(x / cap), and its derivative.
#[inline(always)]
pub fn soft_cap<S: Simd>(simd: S, x: S::f32s, cap: f32) -> (S::f32s, S::f32s) {
    let share = tanh(simd, x / cap);
    (share * cap, S::f32s::splat(simd, 1.0) - share * share)
}

/// tanh x, to 3e-7 of it.
///
/// Near zero its Taylor polynomial of degree 13, else (1 − e⁻²ˣ) / (1 + e⁻²ˣ).
#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    /// Up to here the polynomial's error is a rounding's.
    const SMALL: f32 = 0.45;
    let one = S::f32s::splat(simd, 1.0);
    let size = x.abs();
    let squared = x * x;
    let mut series = S::f32s::splat(simd, 21_844.0 / 6_081_075.0);
    for coefficient in [-1382.0 / 155_925.0, 62.0 / 2835.0, -17.0 / 315.0, 2.0 / 15.0, -1.0 / 3.0, 1.0] {
        series = series.mul_add(squared, S::f32s::splat(simd, coefficient));
    }
    let power = exp(simd, size * -2.0);
    let large = ((one - power) / (one + power)).copysign(x);
    size.simd_lt(S::f32s::splat(simd, SMALL)).select(x * series, large)
}

const ROOT: f32 = GELU_NEW_ROOT as f32;
const FAST_ROOT: f32 = GELU_FAST_ROOT as f32;
const CUBIC: f32 = GELU_NEW_CUBIC as f32;

/// 1 / (1 + e⁻ˣ).
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    let power = exp(simd, -x.abs());
    let larger = one / (power + 1.0);
    x.simd_lt(S::f32s::splat(simd, 0.0)).select(one - larger, larger)
}

/// The error function, to 1.5e-7 (Abramowitz & Stegun, 7.1.26).
#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    let size = x.abs();
    let t = one / (size * 0.327_591_1 + 1.0);
    let mut series = S::f32s::splat(simd, 1.061_405_4);
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_72, 0.254_829_6] {
        series = series.mul_add(t, S::f32s::splat(simd, coefficient));
    }
    (one - series * t * exp(simd, -(size * size))).copysign(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch;
    use crate::engine::vector::{LANES, tests::levels};

    fn values<S: Simd>(simd: S, function: ActFn, x: f32) -> (f32, f32) {
        let (value, slope) = act_fn(simd, function, get(simd, &[x; LANES][..S::f32s::LEN]));
        (value.as_slice()[0], slope.as_slice()[0])
    }

    /// Against their definitions, in f64; slopes against differences.
    #[test]
    fn activation_functions_are_theirs() {
        type Definition = fn(f64) -> f64;
        let definitions: [(ActFn, Definition); 4] = [
            (ActFn::Relu, |x| x.max(0.0)),
            (ActFn::Gelu, |x| x * 0.5 * (1.0 + libm::erf(x / 2.0_f64.sqrt()))),
            (ActFn::GeluNew, |x| {
                0.5 * x * (1.0 + ((2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x.powi(3))).tanh())
            }),
            (ActFn::Silu, |x| x / (1.0 + (-x).exp())),
        ];
        let steps = if cfg!(miri) { 9 } else { 2001 };
        for level in levels() {
            for (function, definition) in definitions {
                for at in 0..steps {
                    let x = 24.0 * (f64::from(at) + 0.25) / f64::from(steps) - 12.0;
                    let (value, slope) = dispatch!(level, simd => values(simd, function, x as f32));
                    let difference = (definition(x + 1e-5) - definition(x - 1e-5)) / 2e-5;
                    let scale = 1.0 + x.abs();
                    assert!((f64::from(value) - definition(x)).abs() < 1e-6 * scale, "{level:?} {function:?}({x})");
                    assert!((f64::from(slope) - difference).abs() < 2e-6 * scale, "{level:?} {function:?}'({x})");
                }
                let at_zero = dispatch!(level, simd => values(simd, function, 0.0));
                assert_eq!(at_zero.0, 0.0, "{level:?} {function:?}");
            }
        }
    }

    fn capped<S: Simd>(simd: S, x: f32, cap: f32) -> (f32, f32) {
        let (value, slope) = soft_cap(simd, get(simd, &[x; LANES][..S::f32s::LEN]), cap);
        (value.as_slice()[0], slope.as_slice()[0])
    }

    /// Against f64, each as a share of it.
    #[test]
    fn soft_caps_are_theirs() {
        let steps = if cfg!(miri) { 9 } else { 4001 };
        for level in levels() {
            for (at, cap) in (0..steps).flat_map(|at| [0.5, 30.0].map(|cap| (at, cap))) {
                let x = f64::from((12.0 * (f64::from(at) + 0.25) / f64::from(steps) - 6.0) as f32);
                let (value, slope) = dispatch!(level, simd => capped(simd, x as f32, cap));
                let share = (x / f64::from(cap)).tanh();
                let off = (f64::from(value) - f64::from(cap) * share).abs();
                assert!(off <= 4e-7 * f64::from(cap) * share.abs(), "{level:?}: {cap} tanh({x} / {cap})");
                assert!((f64::from(slope) - (1.0 - share * share)).abs() < 6e-7, "{level:?}: slope at {x} / {cap}");
            }
            for x in [f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30] {
                let found = dispatch!(level, simd => capped(simd, x, 2.0));
                assert_eq!(found, (2.0_f32.copysign(x), 0.0), "{level:?}: {x}");
            }
        }
    }
}
