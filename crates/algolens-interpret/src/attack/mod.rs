//! Attacks on any model of any task: the inputs that it answers worst.
//!
//! Inputs are drawn from the task's families and at random; from those with the least margins a steepest descent goes on by
//! moves that any sequence has (exchange two places, replace a token, exchange two tokens everywhere; where shorter
//! inputs are padded, insert or remove one). Where all inputs are no more than may be run, all are. It finds and does not prove: that an
//! attack finds nothing says how many inputs it ran, and no more.

mod attacker;
mod found;
mod members;
mod moves;
mod near;
mod restrictions;
mod search;

pub use attacker::Attacker;
pub use found::Found;
pub use members::{MemberAttack, attack_members};
pub use near::Near;
pub use restrictions::Restrictions;
pub use search::{Attack, Progress};
