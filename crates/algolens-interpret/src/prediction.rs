//! Predictions of a model for single examples: most probable classes, probabilities, greedy decoding.

use super::{Subject, runner::Runner};
use algolens_core::{
    Error, Result,
    engine::{
        check_batch,
        hooks::Filter,
        loss::{argmax, log_softmax},
    },
    model::AttentionDir,
    task::{Dataset, Task, Token},
};
use ndarray::{Array2, Array3, ArrayView3, s};
use serde::{Deserialize, Serialize};

/// The predictions of a model for one example, one a predicted position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The whole sequence.
    pub tokens: Vec<Token>,
    /// The target classes.
    pub expected: Vec<Token>,
    /// The most probable classes.
    pub predicted: Vec<Token>,
    /// Probabilities of the target classes.
    pub prob_expected: Vec<f64>,
    /// Probabilities of the most probable classes.
    pub prob_predicted: Vec<f64>,
    /// True if every scored prediction is correct.
    #[serde(rename = "right")]
    pub correct: bool,
}

/// The predictions for every example of a dataset.
///
/// # Errors
/// A dataset that does not fit the model, or whose targets are not classes.
pub fn predict(subject: Subject, data: &Dataset) -> Result<Vec<Prediction>> {
    check_batch(subject.model, data.into())?;
    let mut all = Vec::new();
    Runner::new(subject).run(data.tokens(), data.positions(), &[], Filter::Nothing, |chunk| {
        all.extend(predictions(chunk.logits.view(), &chunk.of(data))?);
        Ok(())
    })?;
    Ok(all)
}

/// The predictions from logits `[example, predicted position, class]`.
///
/// # Errors
/// Targets that are not classes.
pub(super) fn predictions(logits: ArrayView3<f32>, data: &Dataset) -> Result<Vec<Prediction>> {
    let (tokens, targets) = (data.tokens(), data.classes()?);
    let examples = logits.outer_iter().zip(tokens.outer_iter()).zip(targets.outer_iter());
    let predictions = examples
        .enumerate()
        .map(|(example, ((logits, tokens), targets))| {
            let probs: Vec<Vec<f64>> =
                logits.outer_iter().map(|row| log_softmax(row).into_iter().map(f64::exp).collect()).collect();
            let expected = targets.to_vec();
            let predicted: Vec<Token> = logits.outer_iter().map(|row| argmax(row) as Token).collect();
            let class_probs =
                |classes: &[Token]| classes.iter().zip(&probs).map(|(c, probs)| probs[*c as usize]).collect();
            Prediction {
                tokens: tokens.to_vec(),
                prob_expected: class_probs(&expected),
                prob_predicted: class_probs(&predicted),
                correct: (0..expected.len())
                    .all(|at| predicted[at] == expected[at] || data.targets().weight(example, at) == 0.0),
                expected,
                predicted,
            }
        })
        .collect();
    Ok(predictions)
}

/// The softmax of the logits, `[example, class, predicted position]`: what the post's `show` draws.
///
/// # Errors
/// A dataset that does not fit the model.
pub fn probabilities(subject: Subject, data: &Dataset) -> Result<Array3<f32>> {
    let logits = subject.engine.logits(subject.model, data.tokens(), data.positions())?;
    let (examples, positions, classes) = logits.dim();
    let mut probs = Array3::zeros((examples, classes, positions));
    for (logits, mut probs) in logits.outer_iter().zip(probs.outer_iter_mut()) {
        for (row, mut column) in logits.outer_iter().zip(probs.columns_mut()) {
            for (prob, log_prob) in column.iter_mut().zip(log_softmax(row)) {
                *prob = log_prob.exp() as f32;
            }
        }
    }
    Ok(probs)
}

/// Greedy decoding, each prediction fed back as the next token: the classes at the predicted positions, `[example, predicted
/// position]`.
///
/// It writes the sorted list just where every prediction is correct: up to the first wrong one the model reads the same
/// tokens as in the dataset. So the share of lists it sorts this way is the list accuracy of
/// [`evaluate`](algolens_core::evaluation::evaluate).
///
/// # Errors
/// A model whose attention is not causal (it reads the answers from later tokens), a task whose predictions are not the
/// tokens that follow, or a dataset that does not fit the model.
pub fn greedy(subject: Subject, task: &dyn Task, data: &Dataset) -> Result<Array2<Token>> {
    check_batch(subject.model, data.into())?;
    if subject.model.config().attention_dir != AttentionDir::Causal {
        return Err(Error::invalid("attention", "causal, for a model that writes", "bidirectional"));
    }
    let positions = data.positions();
    let continues = data.tokens().outer_iter().zip(data.classes()?.outer_iter()).all(|(tokens, targets)| {
        positions.iter().zip(&targets).all(|(position, target)| tokens.get(position + 1) == Some(target))
    });
    if !continues || task.output_labels() != task.token_labels() {
        return Err(Error::invalid("task", "one whose answers are the tokens that follow", "another"));
    }
    let mut tokens = data.tokens().to_owned();
    let mut written = Array2::zeros((data.len(), positions.len()));
    for (slot, &position) in positions.iter().enumerate() {
        let seen = tokens.slice(s![.., ..=position]);
        let logits = subject.engine.logits(subject.model, seen, &[position])?;
        for (example, logits) in logits.outer_iter().enumerate() {
            let class = argmax(logits.row(0)) as Token;
            tokens[[example, position + 1]] = class;
            written[[example, slot]] = class;
        }
    }
    Ok(written)
}
