//! What one group of sequences adds up.

use super::{matrix::Matrix, stream::Stream, weights::Packed};
use crate::{
    engine::matmul,
    model::{Model, Params, Slot},
};
use ndarray::ArrayView2;

/// Gradients by a model's weights, some of them in packed form.
pub struct Gradients {
    pub params: Params<f32>,
    pub packed: Packed,
}

impl Gradients {
    pub fn new(model: &Model) -> Self {
        Self { params: Params::like(model.params.layout().clone()), packed: Packed::zeros(model) }
    }

    pub fn clear(&mut self) {
        self.params.values_mut().fill(0.0);
        self.packed.clear();
    }

    /// Adds what is packed to where it belongs.
    pub fn unpack(&mut self, model: &Model) {
        self.packed.add_to(model, &mut self.params);
    }

    /// Adds the sum of rows to the gradient of a bias, if there is one.
    pub fn add_bias(&mut self, bias: Option<Slot<1>>, d: ArrayView2<f32>) {
        if let Some(bias) = bias {
            matmul::add_row_sums(self.params.get_mut(bias), d);
        }
    }

    /// Adds rows to the gradients of the positions at which they stand.
    pub fn add_positions(&mut self, d: &Matrix, stream: Stream) {
        let Some(w_pos) = self.params.layout().W_pos else { return };
        let mut d_w_pos = self.params.get_mut(w_pos);
        for (d, position) in d.view(stream.rows).rows().into_iter().zip(stream.positions) {
            let mut sum = d_w_pos.row_mut(*position);
            sum += &d;
        }
    }

    /// Adds rows to the gradients of their tokens.
    pub fn add_tokens(&mut self, d: &Matrix, tokens: impl Iterator<Item = usize>) {
        let layout = self.params.layout().clone();
        let mut d_w_e = self.params.get_mut(layout.W_E);
        for (row, token) in tokens.enumerate() {
            let mut sum = d_w_e.row_mut(token);
            sum += &ndarray::ArrayView1::from(&d.row(row)[..d.width]);
        }
    }
}
