//! Claims about a model: measured, judged by thresholds, and held against controls.

mod claim;
mod control;
mod finding;
mod gathered;
mod measured;
mod rate;
mod thresholds;
mod unit;

pub use claim::{BEHAVES_FROM, Case, Claim};
pub use control::{Control, exchanged_heads, random_weights, relabelled};
pub use finding::{ControlFinding, Finding, Verdict};
pub use gathered::Gathered;
pub use measured::Measured;
pub use rate::Rate;
pub use thresholds::Thresholds;
pub use unit::Unit;
