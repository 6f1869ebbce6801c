//! Oracles: exact minima, min-marginals and counts over the lists of a region.
//!
//! A linear functional is a sum of costs of the rows that a list attends to. Minimization works on whole numbers: costs are
//! scaled and rounded *down*, so that a minimum never lies above the true one and has the same bits with any vector
//! instructions.

mod interface;
mod kernels;
mod ordered;
mod product;
mod region;
mod subsets;
#[cfg(test)]
pub(super) mod tests;
mod transitions;

pub use interface::{MARGIN, Minimum, Oracle};
pub use region::{ABSENT, Region, Split};

use super::{Asks, Order, Space};
use algolens_core::engine::Vectors;
use product::Product;
use subsets::Subsets;

/// The oracle for lists of a space, those in an order only.
pub fn oracle(space: Space, vectors: Vectors, order: Order) -> Box<dyn Oracle> {
    match space.asks {
        Asks::Sorted => Box::new(Subsets::new(space.list_len, vectors).ordered(order)),
        Asks::Largest { .. } => Box::new(Product::default()),
    }
}
