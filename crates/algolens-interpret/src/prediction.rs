//! Predictions of a model for single examples: most probable classes, probabilities, greedy decoding.

use super::{Intervention, Runner, Subject};
use algolens_core::{
    Error, Result, Scalar,
    engine::{
        check_batch,
        hooks::Filter,
        loss::{Outcome, argmax, log_softmax, outcomes},
    },
    model::AttentionDir,
    task::{Dataset, Target, Task, Token},
};
use ndarray::{Array2, Array3, ArrayView1, ArrayView2, ArrayView3, s};
use serde::{Deserialize, Serialize};

/// The answer to a prediction: what is right, or what a model says.
///
/// In JSON a number, or an array of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// One class.
    Class(Token),
    /// Several: those of a set, or equally likely ones of a distribution.
    Classes(Vec<Token>),
}

impl From<Vec<Token>> for Answer {
    fn from(classes: Vec<Token>) -> Self {
        if let [class] = classes[..] { Self::Class(class) } else { Self::Classes(classes) }
    }
}

impl Answer {
    /// The classes.
    pub fn classes(&self) -> &[Token] {
        match self {
            Self::Class(class) => std::slice::from_ref(class),
            Self::Classes(classes) => classes,
        }
    }

    /// What logits say: the class with the largest, or, where a set is asked for, as many as it has.
    pub(super) fn said<T: Scalar>(logits: ArrayView1<T>, target: Target) -> Self {
        let Target::Set(set) = target else { return Self::Class(argmax(logits) as Token) };
        let mut ranked: Vec<Token> = (0..logits.len() as Token).collect();
        ranked.sort_by(|a, b| logits[*b as usize].as_f64().total_cmp(&logits[*a as usize].as_f64()).then(a.cmp(b)));
        ranked.truncate(set.iter().filter(|is_right| **is_right).count().max(1));
        ranked.sort_unstable();
        ranked.into()
    }
}

/// Whether the answer is this class, and no other.
impl PartialEq<Token> for Answer {
    fn eq(&self, class: &Token) -> bool {
        self.classes() == [*class]
    }
}

/// The predictions of a model for one example, one a predicted position.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Prediction {
    /// The whole sequence.
    pub tokens: Vec<Token>,
    /// The right classes; of a distribution, the likeliest.
    pub expected: Vec<Answer>,
    /// The most probable class; of a set, as many as it has.
    pub predicted: Vec<Answer>,
    /// exp(−loss): the probability of the right class (see [`Right`](algolens_core::task::Right) for what it is of sets and
    /// distributions).
    pub prob_expected: Vec<f64>,
    /// Probabilities of the predicted classes, of several together.
    pub prob_predicted: Vec<f64>,
    /// Whether each prediction is correct; none where it is not scored.
    #[serde(rename = "right_at")]
    pub correct_at: Vec<Option<bool>>,
    /// True if every scored prediction is correct.
    #[serde(rename = "right")]
    pub correct: bool,
}

impl Prediction {
    /// Whether any prediction is scored.
    pub fn is_scored(&self) -> bool {
        self.correct_at.iter().any(Option::is_some)
    }

    /// The least of the scored `prob_expected`, if any is.
    pub fn least_prob(&self) -> Option<f64> {
        let scored = self.prob_expected.iter().zip(&self.correct_at).filter(|(_, correct)| correct.is_some());
        scored.map(|(prob, _)| *prob).reduce(f64::min)
    }
}

/// The predictions for every example of a dataset.
///
/// # Errors
/// A dataset that does not fit the model.
pub fn predict(subject: Subject, data: &Dataset) -> Result<Vec<Prediction>> {
    predict_with(subject, data, &[])
}

/// The predictions for every example of a dataset, with some interventions.
///
/// # Errors
/// A dataset or interventions that do not fit the model.
pub(super) fn predict_with(
    subject: Subject,
    data: &Dataset,
    interventions: &[Intervention],
) -> Result<Vec<Prediction>> {
    check_batch(subject.model, data.into())?;
    let mut all = Vec::new();
    Runner::new(subject).run(data.tokens(), data.positions(), interventions, Filter::Nothing, |chunk| {
        all.extend(predictions(chunk.logits.view(), &chunk.of(data)));
        Ok(())
    })?;
    Ok(all)
}

/// The predictions from logits `[example, predicted position, class]`.
pub(super) fn predictions(logits: ArrayView3<f32>, data: &Dataset) -> Vec<Prediction> {
    let (outcomes, tokens) = (outcomes(logits, data.targets()), data.tokens());
    let examples = logits.outer_iter().zip(tokens.outer_iter()).zip(outcomes.chunks(data.positions().len()));
    let prediction = |(example, ((logits, tokens), outcomes)): (usize, Example)| {
        let targets = (0..outcomes.len()).map(|at| data.targets().target(example, at));
        let predicted: Vec<Answer> =
            logits.outer_iter().zip(targets.clone()).map(|(row, target)| Answer::said(row, target)).collect();
        let prob = |(row, said): (ArrayView1<f32>, &Answer)| {
            let log_probs = log_softmax(row);
            said.classes().iter().map(|class| log_probs[*class as usize].exp()).sum()
        };
        Prediction {
            tokens: tokens.to_vec(),
            expected: targets.map(|target| target.classes().into()).collect(),
            prob_expected: outcomes.iter().map(|outcome| outcome.log_prob.exp()).collect(),
            prob_predicted: logits.outer_iter().zip(&predicted).map(prob).collect(),
            correct_at: outcomes.iter().map(|outcome| (outcome.weight > 0.0).then_some(outcome.right)).collect(),
            correct: outcomes.iter().all(|outcome| outcome.right || outcome.weight == 0.0),
            predicted,
        }
    };
    examples.enumerate().map(prediction).collect()
}

/// The logits `[predicted position, class]` of an example, its tokens and its outcomes.
type Example<'a> = ((ArrayView2<'a, f32>, ArrayView1<'a, Token>), &'a [Outcome]);

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
