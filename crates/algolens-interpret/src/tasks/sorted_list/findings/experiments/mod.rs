//! Experiments that only claims need.

mod lost_gaps;
mod runs;
mod to_zero;

pub use lost_gaps::{Repair, repairs};
pub use runs::{Run, Runs, runs};
pub use to_zero::{LARGE, ToZero, to_zero};
