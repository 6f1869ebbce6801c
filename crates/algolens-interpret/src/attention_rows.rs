//! Rows of the attention pattern behind single predictions.

use super::{Subject, runner::Runner};
use algolens_core::{
    Error, Result,
    engine::hooks::{BlockPoint, Filter, HookPoint},
    task::{Dataset, Task, Token},
};
use ndarray::{Ix4, s};
use serde::{Deserialize, Serialize};

/// One row of the first block's attention pattern: the query of one prediction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttentionRow {
    /// The tokens at the keys that are seen, the predicting token last if attention is causal.
    pub keys: Vec<Token>,
    /// The weights `[head][key]`.
    pub attention: Vec<Vec<f32>>,
}

/// The attention rows of `predictions`: pairs of an input and the number of one of its predictions, from 0 (of a
/// sorted list the one at SEP).
///
/// # Errors
/// A list or a prediction that the task does not have, or a task that the model does not fit.
pub fn attention_rows(
    subject: Subject,
    task: &dyn Task,
    predictions: &[(&[Token], usize)],
) -> Result<Vec<AttentionRow>> {
    let name = HookPoint::Block(0, BlockPoint::Pattern).to_string();
    let mut rows = Vec::with_capacity(predictions.len());
    let lists: Vec<&[Token]> = predictions.iter().map(|(list, _)| *list).collect();
    let data = Dataset::from_inputs(task, &lists)?;
    Runner::new(subject).run(data.tokens(), &[], &[], Filter::Names(&[&name]), |chunk| {
        let pattern = chunk.cache.get::<Ix4>(&name)?;
        for (list, example) in chunk.examples.enumerate() {
            let (tokens, (_, prediction)) = (data.tokens().row(example).to_vec(), predictions[example]);
            let Some(&query) = data.positions().get(prediction) else {
                let expected = format!("below {}", task.predicted_positions().len());
                return Err(Error::invalid("the position of a prediction", expected, prediction));
            };
            let keys = subject.model.config().keys_seen(query, tokens.len());
            rows.push(AttentionRow {
                keys: tokens[..keys].to_vec(),
                attention: pattern
                    .slice(s![list, .., query, ..keys])
                    .outer_iter()
                    .map(|weights| weights.to_vec())
                    .collect(),
            });
        }
        Ok(())
    })?;
    Ok(rows)
}
