//! What every oracle does.

use super::region::Region;
use crate::{ClassRows, List, MOST_VALUES};
use std::fmt::Debug;

/// Costs of a linear functional `[local row]`.
pub type Costs = [f64];

/// Exact optimizer over the lists of a region, with its buffers.
pub trait Oracle: Debug + Send {
    /// Number of passes made: the unit of work.
    fn calls(&self) -> u64;

    /// The minimum of a functional over a region, and a list that attains it; none if the region is empty.
    fn minimum(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum>;

    /// The minimum as [`minimum`](Self::minimum) gives it, and the min-marginals that [`marginal`](Self::marginal)
    /// reads.
    fn minimum_and_marginals(&mut self, rows: &ClassRows, region: &Region, costs: &Costs) -> Option<Minimum>;

    /// The min-marginal of an option in the last [`minimum_and_marginals`](Self::minimum_and_marginals): the least sum,
    /// in units, among lists with the token at a position ([`ABSENT`]: without it); `i32::MAX` or more where there is none.
    fn marginal(&self, token: usize, option: u32) -> i64;

    /// Number of lists of a region; exact below 2⁵³.
    fn count(&mut self, rows: &ClassRows, region: &Region) -> f64;

    /// Number of lists of a region whose earlier predictions are allowed: `allowed(position, token that predicts, target)`.
    /// Of ordered lists, none are counted.
    fn count_with_transitions(
        &mut self,
        rows: &ClassRows,
        region: &Region,
        allowed: &dyn Fn(usize, Option<u16>, u16) -> bool,
    ) -> f64;
}

/// The minimum of a linear functional.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minimum {
    /// The minimum of the costs, each rounded down to units.
    pub units: i64,
    /// Units per cost of 1.
    pub scale: f64,
    /// A list that attains it.
    pub list: List,
}

impl Minimum {
    /// A lower bound of the true minimum.
    pub fn bound(&self) -> f64 {
        self.units as f64 / self.scale
    }

    /// True if the true minimum is positive whichever way the costs are rounded to as many bits.
    pub fn is_positive(&self) -> bool {
        self.units >= MARGIN
    }
}

/// The least minimum, in units, that counts as positive. A sum has at most 2 · [`MOST_VALUES`] + 1 rows, each rounded
/// by a unit; twice that leaves room for a checker that rounds once more.
pub const MARGIN: i64 = 2 * (2 * MOST_VALUES as i64 + 1);
