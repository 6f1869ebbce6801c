//! What a sequence is looked up in.
//!
//! A row of the residual stream is E\[t\] + P\[p\] (P is zero where positions are nowhere). Layer norm's centring C is linear,
//! and RMS norm has none; the scale r(p, t) is a number for each pair. With X the rows of E and P, centred where the norm
//! does so, the model is two circuits a head (the post's, with positions):
//!
//! - QK: the score of key (p′, t′) for query (p, t) is r′ · (r · (QK\[t\] + QK\[p\]) + QK\[bias\]) at t′ plus at p′;
//! - OV: that key writes r′ · (OV\[t′\] + OV\[p′\]), as a residual vector and as what it does to the logits.

use super::shape::Shape;
use crate::engine::{
    products::Rows,
    vector::{Numbers, numbers, padded},
};
use ndarray::{ArrayViewMut2, Axis, s};

/// The tables of a model; or the gradients of a loss by their numbers.
pub struct Tables {
    pub shape: Shape,
    /// r(p, t) = 1/√(mean square of x + eps), `[position, token]`; ones without a norm.
    pub scale: Numbers,
    /// The circuits of each head.
    pub heads: Vec<HeadTables>,
    /// What a query's own residual vector is and does to the logits, `[feature, row_width]`; a position's row includes
    /// what every query gets (b_O and what the value biases write).
    pub direct: Numbers,
    /// The logits' bias, `[padded(classes)]`.
    pub bias: Numbers,
}

/// The circuits of one head.
pub struct HeadTables {
    /// `[query feature, or (last) bias; qk_width]`.
    pub qk: Numbers,
    /// `[feature, row_width]`.
    pub ov: Numbers,
}

impl Tables {
    pub fn new(shape: Shape) -> Self {
        let zeros = |count| numbers(count, 0.0);
        let rows = shape.features() * shape.row_width();
        let head = || HeadTables { qk: zeros((shape.features() + 1) * shape.qk_width()), ov: zeros(rows) };
        Self {
            shape,
            scale: numbers(shape.positions * shape.tokens, 1.0),
            heads: (0..shape.heads).map(|_| head()).collect(),
            direct: zeros(rows),
            bias: zeros(padded(shape.classes)),
        }
    }

    /// Every array, in one order.
    pub fn arrays(&self) -> impl Iterator<Item = &Numbers> {
        let heads = self.heads.iter().flat_map(|head| [&head.qk, &head.ov]);
        heads.chain([&self.scale, &self.direct, &self.bias])
    }

    /// Every array, in the same order.
    pub fn arrays_mut(&mut self) -> impl Iterator<Item = &mut Numbers> {
        let heads = self.heads.iter_mut().flat_map(|head| [&mut head.qk, &mut head.ov]);
        heads.chain([&mut self.scale, &mut self.direct, &mut self.bias])
    }

    /// The QK circuit of a head.
    pub fn qk(&self, head: usize) -> Rows<'_> {
        Rows { data: &self.heads[head].qk, stride: self.shape.qk_width() }
    }

    /// The OV circuit of a head.
    pub fn ov(&self, head: usize) -> Rows<'_> {
        Rows { data: &self.heads[head].ov, stride: self.shape.row_width() }
    }

    /// The direct path.
    pub fn direct(&self) -> Rows<'_> {
        Rows { data: &self.direct, stride: self.shape.row_width() }
    }
}

/// The token and the position columns of a head's QK circuit, without padding.
pub fn qk_parts(qk: &mut [f32], shape: Shape) -> [ArrayViewMut2<'_, f32>; 2] {
    let qk = ArrayViewMut2::from_shape((shape.features() + 1, shape.qk_width()), qk).expect("rows of this width");
    let (tokens, positions) = qk.split_at(Axis(1), shape.key_tokens());
    [tokens.slice_move(s![.., ..shape.tokens]), positions.slice_move(s![.., ..shape.positions])]
}

/// The residual (with a final norm) and the logit columns of the features' rows, without padding.
pub fn row_parts(rows: &mut [f32], shape: Shape) -> (Option<ArrayViewMut2<'_, f32>>, ArrayViewMut2<'_, f32>) {
    let rows = ArrayViewMut2::from_shape((shape.features(), shape.row_width()), rows).expect("rows of this width");
    let (resid, logits) = rows.split_at(Axis(1), shape.resid_width());
    let resid = shape.has_final_norm().then(|| resid.slice_move(s![.., ..shape.d_model]));
    (resid, logits.slice_move(s![.., ..shape.classes]))
}
