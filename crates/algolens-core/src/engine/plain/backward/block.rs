//! One block of a backward pass.

use super::scratch::Scratch;
use crate::{engine::plain::pass::Block, model::Params};

/// One block of a backward pass. `scratch.resid` holds the gradient of the residual stream at the place that has been
/// reached; each part adds what reaches the stream before it.
pub(super) struct BlockGradients<'a, 't, T, R> {
    pub block: Block<'a, 't, T, R>,
    pub scratch: &'t mut Scratch<T>,
    /// Of the weights.
    pub gradients: &'t mut Params<T>,
}
