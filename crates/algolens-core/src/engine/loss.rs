//! Loss and accuracy: cross-entropy of classes, of sets of classes, and of distributions over them (see
//! [`Right`](crate::task::Right)).

use crate::{
    Scalar,
    task::{Target, TargetsView},
};
use ndarray::{ArrayView1, ArrayView3, ArrayViewMut1, ArrayViewMut2, Axis};

/// How well a model predicts a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// The losses of the predictions in nats, each times its weight, summed.
    pub loss_sum: f64,
    /// The weights of the predictions that are right, summed: their number, where each counts 1.
    pub right: f64,
    /// The weights of all predictions, summed: their number, where each counts 1.
    pub weight: f64,
}

/// How well one prediction is made.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The log-probability of what is right, in nats, which is minus the loss: of a class, its own; of a set, at most that of
    /// its least class against all outside; of a distribution, the mean over its classes.
    pub log_prob: f64,
    /// Whether what is right has the largest logit or logits.
    pub right: bool,
    /// What the prediction counts; 0 if it is unscored.
    pub weight: f32,
}

impl Outcome {
    /// The outcome of a prediction that counts so much.
    pub(super) fn weighted(self, weight: f32) -> Self {
        Self { weight, ..self }
    }
}

impl From<Outcome> for Score {
    fn from(outcome: Outcome) -> Self {
        // What is unscored may be lost without bounds.
        if outcome.weight == 0.0 {
            return Self::default();
        }
        let weight = f64::from(outcome.weight);
        let right = if outcome.right { weight } else { 0.0 };
        Self { loss_sum: -outcome.log_prob * weight, right, weight }
    }
}

impl FromIterator<Outcome> for Score {
    fn from_iter<I: IntoIterator<Item = Outcome>>(outcomes: I) -> Self {
        let mut score = Self::default();
        outcomes.into_iter().for_each(|outcome| score.add(outcome.into()));
        score
    }
}

impl Score {
    /// Mean loss by weight, in nats.
    pub fn loss(&self) -> f64 {
        self.loss_sum / self.weight
    }

    /// Share of predictions that are right, by weight.
    pub fn accuracy(&self) -> f64 {
        self.right / self.weight
    }

    /// Adds the predictions of another score.
    pub fn add(&mut self, other: Self) {
        self.loss_sum += other.loss_sum;
        self.right += other.right;
        self.weight += other.weight;
    }
}

/// The class with the largest logit; the first of equals.
pub fn argmax<T: Scalar>(logits: ArrayView1<T>) -> usize {
    let Some(first) = logits.first() else { return 0 };
    let larger = |best: (usize, T), (at, logit): (usize, &T)| if *logit > best.1 { (at, *logit) } else { best };
    logits.iter().enumerate().fold((0, *first), larger).0
}

/// Whether a class has the largest logit, and is the first that has.
fn is_argmax<T: Scalar>(logits: ArrayView1<T>, class: usize) -> bool {
    let logit = logits[class];
    let leads = |(other, x): (usize, &T)| (*x < logit) | ((*x == logit) & (other >= class));
    logits.iter().enumerate().fold(true, |all, other| all & leads(other))
}

/// The largest of some logits; −∞ of none.
pub fn largest<'a, T: Scalar>(logits: impl IntoIterator<Item = &'a T>) -> T {
    // A comparison is one instruction, where `max` also looks for NaN.
    logits.into_iter().fold(T::neg_infinity(), |most, logit| if *logit > most { *logit } else { most })
}

/// log Σ exp(logits), computed in f64.
fn log_sum_exp<T: Scalar>(logits: ArrayView1<T>) -> f64 {
    let max = largest(logits).as_f64();
    max + logits.iter().map(|x| (x.as_f64() - max).exp()).sum::<f64>().ln()
}

/// Log-probabilities of the classes, in f64.
pub fn log_softmax<T: Scalar>(logits: ArrayView1<T>) -> Vec<f64> {
    let log_z = log_sum_exp(logits);
    logits.iter().map(|x| x.as_f64() - log_z).collect()
}

/// How well each target is predicted by logits `[batch, position, class]`, in their order.
pub fn outcomes<'a, T: Scalar>(logits: ArrayView3<T>, targets: impl Into<TargetsView<'a>>) -> Vec<Outcome> {
    let rows = logits.rows().into_iter();
    rows.zip(targets.into().iter()).map(|(row, (target, weight))| outcome(row, target).weighted(weight)).collect()
}

/// The score of logits `[batch, position, class]` against targets.
pub fn score<'a, T: Scalar>(logits: ArrayView3<T>, targets: impl Into<TargetsView<'a>>) -> Score {
    outcomes(logits, targets).into_iter().collect()
}

/// How well logits `[class]` predict a target, which counts 1.
pub fn outcome<T: Scalar>(logits: ArrayView1<T>, target: Target) -> Outcome {
    let log_z = log_sum_exp(logits);
    let (log_prob, right) = match target {
        Target::Class(class) => (logits[class as usize].as_f64() - log_z, is_argmax(logits, class as usize)),
        Target::Set(set) => (-Split::new(logits, set).loss(), is_above(logits, set)),
        Target::Distribution(probs) => (mean_log_prob(logits, probs, log_z), is_likeliest(probs, argmax(logits))),
    };
    Outcome { log_prob, right, weight: 1.0 }
}

/// Logits outside and inside a set, in f64.
struct Split {
    /// log Σ exp(logit) over the classes outside.
    outside: f64,
    /// log Σ exp(−logit) over those inside.
    inside: f64,
}

impl Split {
    fn new<T: Scalar>(logits: ArrayView1<T>, set: ArrayView1<bool>) -> Self {
        let of = |right: bool, sign: f64| {
            let chosen =
                || logits.iter().zip(set).filter(move |(_, is)| **is == right).map(move |(z, _)| sign * z.as_f64());
            let max = chosen().fold(f64::NEG_INFINITY, f64::max);
            // Of no class at all.
            if max == f64::NEG_INFINITY { max } else { max + chosen().map(|z| (z - max).exp()).sum::<f64>().ln() }
        };
        Self { outside: of(false, 1.0), inside: of(true, -1.0) }
    }

    /// log(1 + Σ exp(outside − inside)) over all pairs.
    fn loss(&self) -> f64 {
        let pairs = self.outside + self.inside;
        pairs.max(0.0) + (-pairs.abs()).exp().ln_1p()
    }

    /// The derivatives of the loss by logits outside (false) and inside (true).
    fn gradient(self) -> impl Fn(f64, bool) -> f64 {
        let Self { outside, inside } = self;
        // Σ exp(…) / (1 + Σ exp(…)).
        let wrong = (-self.loss() + outside + inside).exp();
        move |logit, is_inside| {
            if is_inside { -wrong * (-logit - inside).exp() } else { wrong * (logit - outside).exp() }
        }
    }
}

/// Whether every class of a set is above every other; of equal logits the earlier class is above.
fn is_above<T: Scalar>(logits: ArrayView1<T>, set: ArrayView1<bool>) -> bool {
    let above = |a: usize, b: usize| logits[a] > logits[b] || (logits[a] == logits[b] && a < b);
    let lowest = (0..logits.len()).filter(|class| set[*class]).reduce(|a, b| if above(a, b) { b } else { a });
    let highest = (0..logits.len()).filter(|class| !set[*class]).reduce(|a, b| if above(b, a) { b } else { a });
    lowest.zip(highest).is_none_or(|(lowest, highest)| above(lowest, highest))
}

/// Σ p log q over the classes of a distribution p.
fn mean_log_prob<T: Scalar>(logits: ArrayView1<T>, probs: ArrayView1<f32>, log_z: f64) -> f64 {
    let possible = logits.iter().zip(probs).filter(|(_, prob)| **prob > 0.0);
    possible.map(|(logit, prob)| f64::from(*prob) * (logit.as_f64() - log_z)).sum()
}

/// Whether no class is likelier than this one.
fn is_likeliest(probs: ArrayView1<f32>, class: usize) -> bool {
    probs.iter().all(|prob| *prob <= probs[class])
}

/// Replaces the logits `[prediction, class]` by `scale` times the gradient of the losses' weighted sum, and scores them.
pub(super) fn loss_gradient<T: Scalar>(mut logits: ArrayViewMut2<T>, targets: TargetsView, scale: T) -> Score {
    let mut score = Score::default();
    for (row, (target, weight)) in logits.axis_iter_mut(Axis(0)).zip(targets.iter()) {
        score.add(row_gradient(row, target, weight, scale));
    }
    score
}

/// As [`loss_gradient`], of rows of so many classes and of padding, which becomes zeros.
#[inline(never)]
pub(super) fn padded_loss_gradient<'a>(
    rows: impl Iterator<Item = &'a mut [f32]>,
    classes: usize,
    targets: TargetsView,
    scale: f32,
) -> Score {
    let mut score = Score::default();
    for (row, (target, weight)) in rows.zip(targets.iter()) {
        let (logits, padding) = row.split_at_mut(classes);
        score.add(row_gradient(ArrayViewMut1::from(logits), target, weight, scale));
        padding.fill(0.0);
    }
    score
}

/// Replaces the logits of one prediction by `scale` · `weight` times the gradient of its loss, and scores it: softmax −
/// one-hot for a class, Σp · softmax − p for a distribution p.
fn row_gradient<T: Scalar>(mut row: ArrayViewMut1<T>, target: Target, weight: f32, scale: T) -> Score {
    if weight == 0.0 {
        row.fill(T::zero());
        return Score::default();
    }
    let score = outcome(row.view(), target).weighted(weight).into();
    match target {
        Target::Class(class) => {
            softmax_in_place(row.view_mut());
            // Of a sure prediction p − 1 has no digits left in f32, but what the others have together has.
            let others = (0..row.len()).filter(|other| *other != class as usize);
            row[class as usize] = -others.fold(T::zero(), |sum, other| sum + row[other]);
        }
        Target::Set(set) => {
            let gradient = Split::new(row.view(), set).gradient();
            for (logit, is_inside) in row.iter_mut().zip(set) {
                *logit = T::of(gradient(logit.as_f64(), *is_inside));
            }
        }
        Target::Distribution(probs) => {
            let sum: f64 = probs.iter().map(|prob| f64::from(*prob)).sum();
            softmax_in_place(row.view_mut());
            row.iter_mut().zip(probs).for_each(|(prob, target)| *prob = *prob * T::of(sum) - T::of(f64::from(*target)));
        }
    }
    let scale = scale * T::of(f64::from(weight));
    row.mapv_inplace(|x| x * scale);
    score
}

/// Scores become weights that sum to 1; a row that is −∞ throughout becomes zeros, as in TransformerLens.
pub(super) fn softmax_in_place<T: Scalar>(mut row: ArrayViewMut1<T>) {
    let max = largest(&row);
    if max == T::neg_infinity() {
        row.fill(T::zero());
        return;
    }
    let mut sum = T::zero();
    for x in &mut row {
        *x = (*x - max).exp();
        sum += *x;
    }
    row.mapv_inplace(|x| x / sum);
}
