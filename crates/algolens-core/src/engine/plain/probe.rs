//! What a pass tells of itself while it runs.

use crate::{
    Result, Scalar,
    engine::hooks::{BlockPoint, Cache, HookPoint, Hooks},
};
use ndarray::{Array2, Array4, ArrayViewD, ArrayViewMutD, IxDyn};

/// Sees the activations of a forward pass and the gradients of a backward one. The pass is compiled for each probe, so
/// the one that sees nothing costs nothing.
pub(super) trait Probe<T: Scalar> {
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
pub(super) struct Blind;

impl<T: Scalar> Probe<T> for Blind {
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
pub(super) struct Tap<'r, 'h, T> {
    pub hooks: &'r mut Hooks<'h, T>,
    /// Points whose activations are recorded.
    pub record: Vec<HookPoint>,
    /// Points whose gradients are recorded.
    pub record_gradients: Vec<HookPoint>,
    pub cache: Cache<T>,
    pub gradients: Cache<T>,
}

impl<T: Scalar> Probe<T> for Tap<'_, '_, T> {
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

/// The sizes of a chunk of lists, and the shapes its activations have for hooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    pub lists: usize,
    pub seq: usize,
    pub heads: usize,
    /// Positions whose logits are computed.
    pub predicted: usize,
}

impl Sizes {
    /// Rows of the residual stream.
    pub fn rows(&self) -> usize {
        self.lists * self.seq
    }

    /// Shows rows `[batch · pos, width]` as `[batch, pos, width]`.
    pub fn show<T: Scalar, P: Probe<T>>(&self, probe: &mut P, point: HookPoint, rows: &mut Array2<T>) -> Result<()> {
        let shape = [self.lists, self.seq, rows.ncols()];
        probe.activation(point, shaped_mut(rows, &shape))
    }

    /// Shows rows whose columns, or whose rows, run over heads as `[batch, pos, head, width]`.
    pub fn show_heads<T: Scalar, P: Probe<T>>(
        &self,
        probe: &mut P,
        point: HookPoint,
        rows: &mut Array2<T>,
    ) -> Result<()> {
        let shape = [self.lists, self.seq, self.heads, rows.len() / (self.rows() * self.heads).max(1)];
        probe.activation(point, shaped_mut(rows, &shape))
    }

    /// [`show`](Self::show) for gradients.
    pub fn show_gradient<T: Scalar, P: Probe<T>>(&self, probe: &mut P, point: HookPoint, rows: &Array2<T>) {
        probe.gradient(point, shaped(rows, &[self.lists, self.seq, rows.ncols()]));
    }

    /// [`show_heads`](Self::show_heads) for gradients.
    pub fn show_heads_gradient<T: Scalar, P: Probe<T>>(&self, probe: &mut P, point: HookPoint, rows: &Array2<T>) {
        let width = rows.len() / (self.rows() * self.heads).max(1);
        probe.gradient(point, shaped(rows, &[self.lists, self.seq, self.heads, width]));
    }
}

/// Shows scores or patterns `[batch, head, query, key]`.
pub(super) fn show_scores<T: Scalar, P: Probe<T>>(
    probe: &mut P,
    point: HookPoint,
    scores: &mut Array4<T>,
) -> Result<()> {
    probe.activation(point, scores.view_mut().into_dyn())
}

/// The same rows under another shape of the same size.
pub(super) fn shaped_mut<'a, T>(rows: &'a mut Array2<T>, shape: &[usize]) -> ArrayViewMutD<'a, T> {
    rows.view_mut().into_shape_with_order(IxDyn(shape)).expect("whole rows, contiguous, of the shape's size")
}

/// The same rows under another shape of the same size.
pub(super) fn shaped<'a, T>(rows: &'a Array2<T>, shape: &[usize]) -> ArrayViewD<'a, T> {
    rows.view().into_shape_with_order(IxDyn(shape)).expect("whole rows, contiguous, of the shape's size")
}

/// A copy of every row for every head: `[batch · pos · head, width]`.
pub(super) fn for_each_head<T: Scalar>(rows: &Array2<T>, heads: usize) -> Array2<T> {
    Array2::from_shape_fn((rows.nrows() * heads, rows.ncols()), |(row, column)| rows[[row / heads, column]])
}

/// The points of one block.
pub(super) fn in_block(layer: usize) -> impl Fn(BlockPoint) -> HookPoint + Copy {
    move |point| HookPoint::Block(layer, point)
}
