//! Levels of vector instructions, and the macro that compiles a kernel for each.

use crate::{Error, Result};
use fearless_simd::Level;
use std::fmt;

/// Runs a call of a kernel at the level that a [`Vectors`](crate::engine::Vectors) names: `dispatch!(vectors, simd =>
/// kernel(simd, …))`. The kernel is compiled for every level: scalars, SSE4.2, AVX2 and AVX-512 on x86 (a machine with
/// SSE2 alone runs scalars), NEON, wasm's 128 bits. It must be marked `#[simd]` or `#[inline(always)]`, as all that it
/// calls, or be compiled without the instructions.
#[macro_export]
macro_rules! dispatch {
    ($vectors:expr, $simd:ident => $call:expr) => {{
        use $crate::engine::fearless_simd::{Fallback, Level, Simd};
        match $vectors.level() {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx512($simd) => $simd.vectorize(
                #[inline(always)]
                || $call,
            ),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx2($simd) => $simd.vectorize(
                #[inline(always)]
                || $call,
            ),
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Sse4_2($simd) => $simd.vectorize(
                #[inline(always)]
                || $call,
            ),
            #[cfg(target_arch = "aarch64")]
            Level::Neon($simd) => $simd.vectorize(
                #[inline(always)]
                || $call,
            ),
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Level::WasmSimd128($simd) => $simd.vectorize(
                #[inline(always)]
                || $call,
            ),
            _ => {
                let $simd = Fallback::new();
                $simd.vectorize(
                    #[inline(always)]
                    || $call,
                )
            }
        }
    }};
}

/// The instructions that kernels use. On one machine a level always gives the same bits; levels differ in how sums are
/// rounded.
#[derive(Clone, Copy)]
pub struct Vectors(Level);

impl Vectors {
    /// The widest that this machine has.
    pub fn best() -> Self {
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        if Level::new().as_sse4_2().is_none() {
            return Self::scalar();
        }
        Self(Level::new())
    }

    /// No vector instructions: what other levels are checked against, and what Miri can run.
    pub fn scalar() -> Self {
        Self(Level::fallback())
    }

    /// All that this machine has, narrowest first.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Level::fallback()];
        #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
        {
            let best = Level::new();
            levels.extend(best.as_sse4_2().map(Level::Sse4_2));
            levels.extend(best.as_avx2().map(Level::Avx2));
            levels.extend(best.as_avx512().map(Level::Avx512));
        }
        #[cfg(not(any(target_arch = "x86", target_arch = "x86_64")))]
        if !Level::new().is_fallback() {
            levels.push(Level::new());
        }
        levels.into_iter().map(Self).collect()
    }

    /// The level of this [`name`](Self::name).
    ///
    /// # Errors
    /// Names the levels that this machine has.
    pub fn named(name: &str) -> Result<Self> {
        let available = Self::available();
        available.iter().find(|level| level.name() == name).copied().ok_or_else(|| {
            let names: Vec<_> = available.iter().map(Self::name).collect();
            Error::invalid("vector instructions", format!("one of {}", names.join(", ")), name)
        })
    }

    /// The token that [`dispatch!`](crate::dispatch) takes apart.
    #[doc(hidden)]
    pub fn level(self) -> Level {
        self.0
    }

    /// `scalar`, `sse4.2`, `avx2`, `avx512`, `neon` or `simd128`.
    pub fn name(&self) -> &'static str {
        match self.0 {
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Sse4_2(_) => "sse4.2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx2(_) => "avx2",
            #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
            Level::Avx512(_) => "avx512",
            #[cfg(target_arch = "aarch64")]
            Level::Neon(_) => "neon",
            #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
            Level::WasmSimd128(_) => "simd128",
            _ => "scalar",
        }
    }
}

impl Default for Vectors {
    fn default() -> Self {
        Self::best()
    }
}

impl fmt::Debug for Vectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_have_names_and_unknown_ones_are_refused() {
        for level in Vectors::available() {
            assert_eq!(Vectors::named(level.name()).unwrap().name(), level.name());
        }
        let said = Vectors::named("mmx").unwrap_err().to_string();
        assert!(said.starts_with("vector instructions: expected one of scalar"), "{said}");
    }
}
