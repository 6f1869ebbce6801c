//! All inputs of a task, run through a model: what it answers on every one, counted.
//!
//! Inputs go by their numbers ([`Inputs`](algolens_core::task::Inputs)). An [`Enumeration`] is of a run of them; those of
//! neighbouring runs add up, to the same bits however all inputs were cut into runs and whatever ran at the same time.

mod enumeration;
mod judge;
mod orders;
mod sum;
mod walk;

pub use enumeration::{Close, Enumeration, FamilyCount, LeastMargin, MemberCount, Wrong};
pub(crate) use judge::judge;
pub use walk::{Walk, inputs_to_run};
