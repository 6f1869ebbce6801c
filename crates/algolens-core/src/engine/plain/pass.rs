//! What every part of a pass reads: the model, the batch, and the shapes its activations have for hooks.

use super::tracer::Tracer;
use crate::{
    Result, Scalar,
    engine::hooks::{BlockPoint, HookPoint},
    model::{BlockLayout, Config, Mlp, Model, Params, Q},
    task::Token,
};
use ndarray::{Array2, Array4, ArrayView2, ArrayViewD, ArrayViewMutD, Axis, IxDyn, s};

/// A batch on its way through a model.
///
/// Activations are matrices of *rows*. A row is a (sequence, position) pair, or a (sequence, position, head) triple where
/// a comment says `row · head`; heads that stand side by side in one row are written `head · d_head`.
#[derive(Clone, Copy)]
pub(super) struct Pass<'a, T> {
    pub config: &'a Config,
    pub params: &'a Params<T>,
    /// `[batch, pos]`.
    pub tokens: ArrayView2<'a, Token>,
    /// The positions whose logits are computed.
    pub positions: &'a [usize],
    pub sizes: Sizes,
}

impl<'a, T: Scalar> Pass<'a, T> {
    pub fn new(model: &'a Model<T>, tokens: ArrayView2<'a, Token>, positions: &'a [usize]) -> Self {
        let config = model.config();
        let (batch, seq) = tokens.dim();
        let [heads, key_value_heads] = [config.n_heads, config.key_value_heads()];
        let sizes = Sizes { batch, seq, heads, key_value_heads, predicted: positions.len() };
        Self { config, params: &model.params, tokens, positions, sizes }
    }

    /// Gives what stands for keys that their query must not see, in `[batch, head, query, key]`, one value.
    pub fn mask(self, layer: usize, scores: &mut Array4<T>, value: T) {
        for (sequence, mut heads) in scores.outer_iter_mut().enumerate() {
            for (query, mut keys) in heads.axis_iter_mut(Axis(1)).enumerate() {
                let seen = self.config.visible_keys(layer, query, self.sizes.seq);
                keys.slice_mut(s![.., ..seen.start]).fill(value); // [head, key]
                keys.slice_mut(s![.., seen.end..]).fill(value);
            }
            let Some(pad_token) = self.config.pad_token else { continue };
            for (key, token) in self.tokens.row(sequence).iter().enumerate() {
                if *token == pad_token {
                    heads.slice_mut(s![.., .., key]).fill(value); // [head, query]
                }
            }
        }
    }

    /// Whether a head is the first of those that read the same keys and values.
    pub fn is_first_of_group(self, head: usize) -> bool {
        head == 0 || self.config.key_value_head(head) != self.config.key_value_head(head - 1)
    }

    /// The rows of the residual stream that are unembedded, sequence by sequence.
    pub fn predicted_rows(self) -> impl Iterator<Item = usize> {
        let sequences = 0..self.sizes.batch;
        sequences.flat_map(move |sequence| self.positions.iter().map(move |pos| sequence * self.sizes.seq + pos))
    }
}

/// The sizes of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sizes {
    pub batch: usize,
    pub seq: usize,
    pub heads: usize,
    /// Heads with keys and values of their own.
    pub key_value_heads: usize,
    /// Positions whose logits are computed.
    pub predicted: usize,
}

impl Sizes {
    /// Rows of the residual stream: `batch · seq`.
    pub fn rows(&self) -> usize {
        self.batch * self.seq
    }

    /// `[batch, pos, width]`, as hooks see `rows [row, width]`.
    pub fn shape<T>(&self, rows: &Array2<T>) -> Vec<usize> {
        vec![self.batch, self.seq, rows.ncols()]
    }

    /// Heads of queries, keys or values.
    pub fn heads_of(&self, kind: usize) -> usize {
        if kind == Q { self.heads } else { self.key_value_heads }
    }

    /// `[batch, pos, head, width]`, as hooks see `rows [row, head · width]` or `[row · head, width]`.
    fn heads_shape<T>(&self, point: BlockPoint, rows: &Array2<T>) -> Vec<usize> {
        let heads = if point.has_key_value_heads() { self.key_value_heads } else { self.heads };
        vec![self.batch, self.seq, heads, rows.len() / (self.rows() * heads).max(1)]
    }
}

/// One block of a pass, and who watches it.
pub(super) struct Block<'a, 't, T, R> {
    pub pass: Pass<'a, T>,
    pub layer: usize,
    /// Where its weights stand in `pass.params`.
    pub layout: &'a BlockLayout,
    pub tracer: &'t mut R,
}

impl<'a, 't, T: Scalar, R: Tracer<T>> Block<'a, 't, T, R> {
    pub fn new(pass: Pass<'a, T>, layer: usize, tracer: &'t mut R) -> Self {
        Self { pass, layer, layout: &pass.params.layout().blocks[layer], tracer }
    }

    pub fn at(&self, point: BlockPoint) -> HookPoint {
        HookPoint::Block(self.layer, point)
    }

    /// Shows `rows [row, width]` as `[batch, pos, width]`.
    pub fn show(&mut self, point: BlockPoint, rows: &mut Array2<T>) -> Result<()> {
        let shape = self.pass.sizes.shape(rows);
        self.tracer.activation(HookPoint::Block(self.layer, point), shaped_mut(rows, &shape))
    }

    /// Shows rows whose columns, or whose rows, run over heads as `[batch, pos, head, width]`.
    pub fn show_heads(&mut self, point: BlockPoint, rows: &mut Array2<T>) -> Result<()> {
        let shape = self.pass.sizes.heads_shape(point, rows);
        self.tracer.activation(HookPoint::Block(self.layer, point), shaped_mut(rows, &shape))
    }

    /// [`show`](Self::show) for gradients.
    pub fn show_gradient(&mut self, point: BlockPoint, rows: &Array2<T>) {
        self.tracer.gradient(HookPoint::Block(self.layer, point), shaped(rows, &self.pass.sizes.shape(rows)));
    }

    /// [`show_heads`](Self::show_heads) for gradients.
    pub fn show_heads_gradient(&mut self, point: BlockPoint, rows: &Array2<T>) {
        self.tracer
            .gradient(HookPoint::Block(self.layer, point), shaped(rows, &self.pass.sizes.heads_shape(point, rows)));
    }

    /// The shape of the block's MLP.
    pub fn mlp(&self) -> Mlp {
        self.pass.config.mlp.expect("only models with an MLP have its activations")
    }

    /// Whether a hook may change the inputs of single heads.
    pub fn edits_head_inputs(&self) -> bool {
        self.tracer.edits(|point| point.splits(self.layer))
    }
}

/// The same rows under another shape of the same size.
pub(super) fn shaped_mut<'a, T>(rows: &'a mut Array2<T>, shape: &[usize]) -> ArrayViewMutD<'a, T> {
    rows.view_mut().into_shape_with_order(IxDyn(shape)).expect("whole rows, contiguous, of the shape's size")
}

/// The same rows under another shape of the same size.
pub(super) fn shaped<'a, T>(rows: &'a Array2<T>, shape: &[usize]) -> ArrayViewD<'a, T> {
    rows.view().into_shape_with_order(IxDyn(shape)).expect("whole rows, contiguous, of the shape's size")
}
