//! Training: from a [`Recipe`] to a model.
//!
//! A [`Run`] is what has become of a recipe so far. It works on values and bytes: who calls [`Run::train`] saves
//! [`Run::to_bytes`] after each epoch, and a run read back from them goes on to the same bits as one never interrupted.

mod adam;
mod examples;
mod fields;
mod history;
mod recipe;
mod run;
mod schedule;
mod split;
mod state;

pub use adam::Adam;
pub use examples::{DataSource, Examples};
pub use fields::{Fields, fields};
pub use history::EpochRecord;
pub use recipe::{Architecture, Optimizer, Recipe};
pub use run::{Event, Progress, Run};
pub use schedule::{Keep, Schedule};

#[cfg(test)]
mod tests;
