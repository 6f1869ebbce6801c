//! How quickly all inputs were run.

use super::counted::grouped;
use crate::roof;
use algolens::{
    Result,
    engine::{Backend, Engine, Vectors},
    interpret::enumerate::Walk,
    model::Config,
};
use std::time::Duration;

/// What runs a model.
pub struct By<'a> {
    /// The engine.
    pub engine: &'a dyn Engine,
    /// Its backend.
    pub backend: Backend,
    /// The vector instructions it uses.
    pub vectors: Vectors,
}

/// One line: how many inputs (or multisets) were run a second, and what share that is of the multiply-adds that the machine could do.
pub fn said(by: &By, config: &Config, walk: &Walk, inputs: u64, passed: Duration) -> Result<String> {
    let rate = inputs as f64 / passed.as_secs_f64().max(1e-9);
    let data = walk.first_block()?;
    let what = if walk.by_multisets() { "multisets" } else { "inputs" };
    let each = by.backend.multiply_adds(config, (&data).into()).forward as f64 / data.len().max(1) as f64;
    let share = rate * each / roof::multiply_adds_per_s(by.vectors);
    Ok(format!(
        "{} {what} in {:.1} s: {} a second, {:.1} % of the machine's multiply-adds",
        grouped(inputs),
        passed.as_secs_f64(),
        grouped(rate as u64),
        100.0 * share
    ))
}
