//! Measurement of an engine's deviation from the real logits.

use super::{circuits::Circuits, logits::logits};
use algolens_core::{
    Error, Result,
    engine::{Engine, sequences_at_a_time},
    model::Model,
    parallel, random,
    task::{Dataset, Task},
};
use serde::Serialize;

/// Measured deviation of an engine's logits from those that the proof is about.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Measured {
    /// Number of lists drawn.
    pub lists: usize,
    /// The largest difference (logits) between the engine's margin of a target over another answer and the real one.
    pub largest_difference: f64,
}

/// Number of lists drawn.
const LISTS: usize = 2048;

/// The deviation of an engine from the circuits on random lists.
///
/// # Errors
/// A difference that is not below the slack, and whatever the engine says.
pub(super) fn measure(
    circuits: &Circuits,
    task: &dyn Task,
    model: &Model,
    engine: &dyn Engine,
    slack: f64,
) -> Result<Measured> {
    let data = Dataset::generate(task, LISTS, &mut random::stream(0, "check"))?;
    let mut largest = 0.0_f64;
    for chunk in data.chunks(sequences_at_a_time(data.positions().len(), circuits.outputs).min(128)) {
        let found = engine.logits(model, chunk.tokens(), chunk.positions())?;
        let classes = chunk.classes()?;
        let mut differences = vec![0.0; chunk.len()];
        let pieces = differences.iter_mut().enumerate().collect();
        parallel::for_each(pieces, |(list, difference): (usize, &mut f64)| {
            let tokens: Vec<usize> =
                task.input(&chunk.tokens().row(list).to_vec()).into_iter().map(|token| token as usize).collect();
            for position in 0..circuits.sizes.predictions() {
                let real = logits(circuits, &tokens, position);
                let target = *classes.get((list, position)).expect("a target a prediction") as usize;
                let offsets = (0..circuits.outputs).map(|output| {
                    let found = |output: usize| f64::from(found[[list, position, output]]);
                    let off = (found(target) - found(output)) - (real[target].value - real[output].value);
                    // NaN is no small difference.
                    if off.is_nan() { f64::INFINITY } else { off.abs() }
                });
                *difference = offsets.fold(*difference, f64::max);
            }
        });
        largest = differences.into_iter().fold(largest, f64::max);
    }
    if largest < slack {
        return Ok(Measured { lists: LISTS, largest_difference: largest });
    }
    let what = format!("logits of the engine {} on {LISTS} lists", engine.name());
    Err(Error::invalid(what, format!("margins within the slack of {slack}"), format!("{largest} off")))
}
