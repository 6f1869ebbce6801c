//! What the plain engine says of lists that a search found.

use algolens_check::certificate::Counterexample;
use algolens_core::{
    Result,
    engine::{Engine, Plain, loss::argmax},
    model::Model,
    task::{Dataset, Task, Token},
};

/// The answers that the plain engine, in f32, gives at the positions of counterexamples.
///
/// # Errors
/// A list that is none of the task's, a model that does not fit it.
pub fn plain_answers(model: &Model, task: &dyn Task, found: &[&Counterexample]) -> Result<Vec<Token>> {
    /// Lists whose logits are in memory at once.
    const CHUNK: usize = 1024;
    let mut answers = Vec::with_capacity(found.len());
    for chunk in found.chunks(CHUNK) {
        let lists: Vec<&[Token]> = chunk.iter().map(|found| found.list.as_slice()).collect();
        let data = Dataset::from_inputs(task, &lists)?;
        let logits = Plain::new().logits(model, data.tokens(), data.positions())?;
        let rows = chunk.iter().zip(logits.outer_iter());
        answers.extend(rows.map(|(found, logits)| argmax(logits.row(found.position)) as Token));
    }
    Ok(answers)
}
