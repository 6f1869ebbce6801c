//! An independent checker of certificates: it replays a branch-and-bound proof with code of its own.
//!
//! Nothing is shared with the search that found the proof, nor with an engine. The methods, each in a sentence:
//!
//! - *Ball arithmetic* (`ball`, `circuits`, `attention`): every number computed from the weights carries a bound of its
//!   rounding, so that what follows holds of the real numbers.
//! - *Lagrangian relaxation* and *Dinkelbach's method for ratios* (`logit_difference`): the evidence gives the
//!   multipliers and the floors, so that each of its claims is that one linear functional has no negative value on a
//!   region.
//! - *Subset dynamic programming* (`quantize`, `recursion`, `passes`, `count`): in the min-plus semiring, on costs
//!   rounded down to whole units, it minimizes such a functional exactly over the lists of a region; in the sum-product
//!   semiring it counts them.
//! - *Minima over a product* (`product`): where the largest value is asked for, positions are independent but that it
//!   stands somewhere.
//! - *Branch and bound* (`replay`): the evidence's tree is walked, and what it decides of each class is counted.
//!
//! The counts add up to accuracies (`accuracy`), against which the certificate's own words are held (`claims`). So
//! whatever the evidence says, what [`check`] returns as proved is true of the model's weights in real numbers;
//! [`Measured`] says how far an engine's logits are from those.

mod accuracy;
mod attention;
mod ball;
mod bytes;
pub mod certificate;
mod checker;
mod circuits;
mod claims;
mod class;
mod context;
mod count;
mod first;
mod logit_difference;
mod logits;
mod measured;
mod passes;
mod product;
mod quantize;
mod recursion;
mod replay;
mod sizes;
mod states;
#[cfg(test)]
mod tests;

pub use accuracy::{Bounds, PositionShares, Proved};
pub use checker::{Checked, Progress, check};
pub use measured::Measured;
