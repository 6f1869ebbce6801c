//! What a pass tells of itself while it runs.

use crate::{
    Result, Scalar,
    engine::hooks::{Cache, HookPoint, Hooks},
};
use ndarray::{ArrayViewD, ArrayViewMutD};

/// Sees the activations of a forward pass and the gradients of a backward one. The pass is compiled for each tracer, so
/// the one that sees nothing costs nothing.
pub(super) trait Tracer<T: Scalar> {
    /// Whether a hook may change the activation at a point for which this holds.
    fn edits(&self, at: impl Fn(HookPoint) -> bool) -> bool;
    /// Whether anybody looks at the activation at a point for which this holds.
    fn reads(&self, at: impl Fn(HookPoint) -> bool) -> bool;
    /// The activation at a point has been computed; it may be changed.
    fn activation(&mut self, point: HookPoint, activation: ArrayViewMutD<'_, T>) -> Result<()>;
    /// Whether the gradient at a point for which this holds is wanted.
    fn wants_gradient(&self, at: impl Fn(HookPoint) -> bool) -> bool;
    /// The gradient at a point has been computed.
    fn gradient(&mut self, point: HookPoint, gradient: ArrayViewD<'_, T>);
}

/// Sees nothing.
pub(super) struct NoTrace;

impl<T: Scalar> Tracer<T> for NoTrace {
    fn edits(&self, _: impl Fn(HookPoint) -> bool) -> bool {
        false
    }
    fn reads(&self, _: impl Fn(HookPoint) -> bool) -> bool {
        false
    }
    fn activation(&mut self, _: HookPoint, _: ArrayViewMutD<'_, T>) -> Result<()> {
        Ok(())
    }
    fn wants_gradient(&self, _: impl Fn(HookPoint) -> bool) -> bool {
        false
    }
    fn gradient(&mut self, _: HookPoint, _: ArrayViewD<'_, T>) {}
}

/// Runs hooks, and records activations or their gradients.
pub(super) struct RunHooks<'r, 'h, T> {
    pub hooks: &'r mut Hooks<'h, T>,
    /// Points whose activations are recorded.
    pub record: Vec<HookPoint>,
    /// Points whose gradients are recorded.
    pub record_gradients: Vec<HookPoint>,
    pub cache: Cache<T>,
    pub gradients: Cache<T>,
}

impl<'r, 'h, T: Scalar> RunHooks<'r, 'h, T> {
    pub fn recording(hooks: &'r mut Hooks<'h, T>, record: Vec<HookPoint>, record_gradients: Vec<HookPoint>) -> Self {
        Self { hooks, record, record_gradients, cache: Cache::default(), gradients: Cache::default() }
    }
}

impl<T: Scalar> Tracer<T> for RunHooks<'_, '_, T> {
    fn edits(&self, at: impl Fn(HookPoint) -> bool) -> bool {
        self.hooks.any(at)
    }

    fn reads(&self, at: impl Fn(HookPoint) -> bool) -> bool {
        self.record.iter().any(|point| at(*point)) || self.hooks.any(at)
    }

    fn activation(&mut self, point: HookPoint, mut activation: ArrayViewMutD<'_, T>) -> Result<()> {
        self.hooks.run(point, &mut activation)?;
        if self.record.contains(&point) {
            self.cache.insert(point, activation.to_owned());
        }
        Ok(())
    }

    fn wants_gradient(&self, at: impl Fn(HookPoint) -> bool) -> bool {
        self.record_gradients.iter().any(|point| at(*point))
    }

    fn gradient(&mut self, point: HookPoint, gradient: ArrayViewD<'_, T>) {
        if self.record_gradients.contains(&point) {
            self.gradients.insert(point, gradient.to_owned());
        }
    }
}
