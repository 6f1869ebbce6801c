//! What is right at each prediction, and how much each counts.

use super::{Token, check_vocabulary};
use crate::{Error, Result};
use ndarray::{Array, Array1, Array2, Array3, ArrayView, ArrayView1, ArrayView2, ArrayView3, Axis, RemoveAxis, s};
use std::iter::repeat_n;

/// What is right at each prediction of some examples, and each prediction's weight.
///
/// The targets of a batch lose Σ w·loss / Σ w and are right in Σ w·right / Σ w. A prediction of weight 0 is *unscored*: it
/// changes no loss, no gradient and no accuracy, as at padding. Without weights each counts 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// What is right.
    pub right: Right,
    /// `[example, predicted position]`, 0 or more each.
    pub weights: Option<Array2<f32>>,
}

/// What is right at each prediction: of one kind throughout.
#[derive(Clone, Debug, PartialEq)]
pub enum Right {
    /// One class each, `[example, predicted position]`. The loss is the cross-entropy −log p(class), in nats; the model is
    /// right where the class has the largest logit (and is the first that has).
    Classes(Array2<Token>),
    /// A set of classes each, `[example, predicted position, class]`, none empty where it is scored. The model is right where
    /// every class of the set is above every other (of equal logits the earlier class is above). The loss is
    /// log(1 + Σ exp(z_wrong − z_right)) over all pairs of a class outside and one inside the set (Li, Song & Luo 2017). Of a
    /// set of one class it is the cross-entropy; below log 2 the model is right, and it nears 0 only where every pair is far
    /// apart.
    ///
    /// −log Σ p over the set would be no such loss: it is 0 already where one class of the set has all the probability, and
    /// leaves the others wherever they are.
    Sets(Array3<bool>),
    /// A distribution over the classes each, `[example, predicted position, class]`, which sums to 1 within
    /// [`TOLERANCE`](Self::TOLERANCE) where it is scored. The loss is the soft cross-entropy −Σ p log q; the entropy of p is
    /// not subtracted, so the smallest loss there is is that entropy. The model is right where its largest logit (the first
    /// of equals) is at a class than which none is likelier in p: any of those that tie.
    Distributions(Array3<f32>),
}

impl Right {
    /// How far from 1 the sum of a distribution may be.
    pub const TOLERANCE: f64 = 1e-4;
}

impl<R: Into<Right>> From<R> for Targets {
    fn from(right: R) -> Self {
        Self { right: right.into(), weights: None }
    }
}

impl From<Vec<Token>> for Right {
    /// The classes of one example.
    fn from(classes: Vec<Token>) -> Self {
        Self::Classes(Array1::from_vec(classes).insert_axis(Axis(0)))
    }
}

impl From<Array2<Token>> for Right {
    fn from(classes: Array2<Token>) -> Self {
        Self::Classes(classes)
    }
}

impl From<Array3<bool>> for Right {
    fn from(sets: Array3<bool>) -> Self {
        Self::Sets(sets)
    }
}

impl From<Array3<f32>> for Right {
    fn from(distributions: Array3<f32>) -> Self {
        Self::Distributions(distributions)
    }
}

impl Targets {
    /// The targets with these weights, `[example, predicted position]`.
    pub fn weighted(self, weights: Array2<f32>) -> Self {
        Self { weights: Some(weights), ..self }
    }

    /// All of them, to read.
    pub fn view(&self) -> TargetsView<'_> {
        let right = match &self.right {
            Right::Classes(classes) => RightView::Classes(classes.view()),
            Right::Sets(sets) => RightView::Sets(sets.view()),
            Right::Distributions(distributions) => RightView::Distributions(distributions.view()),
        };
        TargetsView { right, weights: self.weights.as_ref().map(|weights| weights.view()) }
    }

    /// Those of the examples at these indices, in this order.
    pub fn select(&self, examples: &[usize]) -> Self {
        let right = match &self.right {
            Right::Classes(classes) => Right::Classes(classes.select(Axis(0), examples)),
            Right::Sets(sets) => Right::Sets(sets.select(Axis(0), examples)),
            Right::Distributions(distributions) => Right::Distributions(distributions.select(Axis(0), examples)),
        };
        Self { right, weights: self.weights.as_ref().map(|weights| weights.select(Axis(0), examples)) }
    }

    /// Room for the targets of so many examples, of the kind and the sizes of these; each counts 1.
    pub(crate) fn room(like: TargetsView, examples: usize) -> Self {
        fn zeros<A: Clone + Default>(like: ArrayView3<A>, examples: usize) -> Array3<A> {
            Array3::default((examples, like.dim().1, like.dim().2))
        }
        let right = match like.right {
            RightView::Classes(classes) => Right::Classes(Array2::zeros((examples, classes.ncols()))),
            RightView::Sets(sets) => Right::Sets(zeros(sets, examples)),
            RightView::Distributions(distributions) => Right::Distributions(zeros(distributions, examples)),
        };
        Self { right, weights: like.weights.map(|weights| Array2::ones((examples, weights.ncols()))) }
    }

    /// Copies those of the examples at these indices of others, of the same kind and sizes, to the first rows.
    pub(crate) fn gather(&mut self, from: TargetsView, examples: &[usize]) {
        match (&mut self.right, from.right) {
            (Right::Classes(to), RightView::Classes(from)) => gather(to, from, examples),
            (Right::Sets(to), RightView::Sets(from)) => gather(to, from, examples),
            (Right::Distributions(to), RightView::Distributions(from)) => gather(to, from, examples),
            _ => unreachable!("room is made for targets of one kind"),
        }
        if let (Some(to), Some(from)) = (&mut self.weights, from.weights) {
            gather(to, from, examples);
        }
    }

    /// Replaces the targets of one example by those of another, of the same sizes.
    ///
    /// # Errors
    /// Targets of another kind.
    pub(crate) fn set(&mut self, example: usize, from: TargetsView) -> Result<()> {
        match (&mut self.right, from.right) {
            (Right::Classes(all), RightView::Classes(from)) => all.row_mut(example).assign(&from.row(0)),
            (Right::Sets(all), RightView::Sets(from)) => {
                all.index_axis_mut(Axis(0), example).assign(&from.index_axis(Axis(0), 0))
            }
            (Right::Distributions(all), RightView::Distributions(from)) => {
                all.index_axis_mut(Axis(0), example).assign(&from.index_axis(Axis(0), 0));
            }
            _ => return Err(Error::invalid("targets", format!("{}, as before", self.view().kind()), from.kind())),
        }
        if self.weights.is_some() || from.weights.is_some() {
            let shape = self.view().dim();
            let mut weights = self.weights.get_or_insert_with(|| Array2::ones(shape)).row_mut(example);
            weights.iter_mut().zip(from.each_weight()).for_each(|(to, weight)| *to = weight);
        }
        Ok(())
    }

    /// Leaves a prediction unscored.
    pub(crate) fn unscore(&mut self, example: usize, prediction: usize) {
        let shape = self.view().dim();
        self.weights.get_or_insert_with(|| Array2::ones(shape))[[example, prediction]] = 0.0;
    }
}

fn gather<A: Copy, D: RemoveAxis>(to: &mut Array<A, D>, from: ArrayView<A, D>, examples: &[usize]) {
    for (mut to, &example) in to.outer_iter_mut().zip(examples) {
        to.assign(&from.index_axis(Axis(0), example));
    }
}

/// Some of the [`Targets`], to read.
#[derive(Clone, Copy, Debug)]
pub struct TargetsView<'a> {
    /// What is right.
    pub right: RightView<'a>,
    /// `[example, predicted position]`.
    pub weights: Option<ArrayView2<'a, f32>>,
}

/// Some of what is [`Right`], to read.
#[derive(Clone, Copy, Debug)]
pub enum RightView<'a> {
    /// `[example, predicted position]`.
    Classes(ArrayView2<'a, Token>),
    /// `[example, predicted position, class]`.
    Sets(ArrayView3<'a, bool>),
    /// `[example, predicted position, class]`.
    Distributions(ArrayView3<'a, f32>),
}

/// What is right at one prediction; see [`Right`].
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A class.
    Class(Token),
    /// Whether each class is one of a set.
    Set(ArrayView1<'a, bool>),
    /// The probability of each class.
    Distribution(ArrayView1<'a, f32>),
}

impl Target<'_> {
    /// The right classes; of a distribution, the likeliest.
    pub fn classes(&self) -> Vec<Token> {
        match self {
            Self::Class(class) => vec![*class],
            Self::Set(set) => (0..).zip(set).filter(|(_, is_right)| **is_right).map(|(class, _)| class).collect(),
            Self::Distribution(probs) => {
                let most = probs.iter().copied().fold(0.0, f32::max);
                (0..).zip(probs).filter(|(_, prob)| **prob == most && most > 0.0).map(|(class, _)| class).collect()
            }
        }
    }
}

impl<'a> From<ArrayView2<'a, Token>> for TargetsView<'a> {
    fn from(classes: ArrayView2<'a, Token>) -> Self {
        Self { right: RightView::Classes(classes), weights: None }
    }
}

impl<'a> TargetsView<'a> {
    /// The right classes, `[example, predicted position]`.
    ///
    /// # Errors
    /// Targets that are none: sets or distributions.
    pub fn classes(self) -> Result<ArrayView2<'a, Token>> {
        match self.right {
            RightView::Classes(classes) => Ok(classes),
            _ => Err(Error::invalid("targets", "one right class each", self.kind())),
        }
    }

    /// What the targets are: classes, sets or distributions.
    pub fn kind(self) -> &'static str {
        match self.right {
            RightView::Classes(_) => "classes",
            RightView::Sets(_) => "sets of classes",
            RightView::Distributions(_) => "distributions",
        }
    }

    /// Examples and predictions of each.
    pub fn dim(self) -> (usize, usize) {
        match self.right {
            RightView::Classes(classes) => classes.dim(),
            RightView::Sets(sets) => (sets.dim().0, sets.dim().1),
            RightView::Distributions(distributions) => (distributions.dim().0, distributions.dim().1),
        }
    }

    /// Predictions of all examples.
    pub fn len(self) -> usize {
        self.dim().0 * self.dim().1
    }

    /// Whether there is no prediction.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The classes that sets and distributions are over; none of targets that are classes.
    pub fn class_count(self) -> Option<usize> {
        self.shape().get(2).copied()
    }

    /// What the predictions count together.
    pub fn total_weight(self) -> f64 {
        match self.weights {
            None => self.len() as f64,
            Some(weights) => weights.iter().map(|weight| f64::from(*weight)).sum(),
        }
    }

    /// What is right at one prediction of an example.
    pub fn target(self, example: usize, prediction: usize) -> Target<'a> {
        match self.right {
            RightView::Classes(classes) => Target::Class(classes[[example, prediction]]),
            RightView::Sets(sets) => Target::Set(sets.slice_move(s![example, prediction, ..])),
            RightView::Distributions(all) => Target::Distribution(all.slice_move(s![example, prediction, ..])),
        }
    }

    /// What one prediction of an example counts.
    pub fn weight(self, example: usize, prediction: usize) -> f32 {
        self.weights.map_or(1.0, |weights| weights[[example, prediction]])
    }

    /// What is right at each prediction and what it counts, example by example.
    pub fn iter(self) -> impl Iterator<Item = (Target<'a>, f32)> {
        // Classes by themselves: a loop over them then copies no views.
        let (classes, others) = match self.right {
            RightView::Classes(classes) => (Some(classes), 0),
            _ => (None, self.len()),
        };
        let predictions = self.dim().1;
        let others = (0..others).map(move |at| self.target(at / predictions, at % predictions));
        classes.into_iter().flatten().map(|class| Target::Class(*class)).chain(others).zip(self.each_weight())
    }

    /// What each prediction counts, example by example.
    pub(crate) fn each_weight(self) -> impl Iterator<Item = f32> {
        let ones = repeat_n(1.0, if self.weights.is_none() { self.len() } else { 0 });
        self.weights.into_iter().flatten().copied().chain(ones)
    }

    /// The targets of one example after another.
    pub(crate) fn examples(self) -> impl Iterator<Item = Self> {
        (0..self.dim().0).map(move |example| self.slice(example, example + 1))
    }

    /// Those of examples `from..to`.
    pub fn slice(self, from: usize, to: usize) -> Self {
        let right = match self.right {
            RightView::Classes(classes) => RightView::Classes(classes.slice_move(s![from..to, ..])),
            RightView::Sets(sets) => RightView::Sets(sets.slice_move(s![from..to, .., ..])),
            RightView::Distributions(all) => RightView::Distributions(all.slice_move(s![from..to, .., ..])),
        };
        Self { right, weights: self.weights.map(|weights| weights.slice_move(s![from..to, ..])) }
    }

    /// Whether these are targets of so many examples with so many predictions each.
    ///
    /// # Errors
    /// Another shape; weights that are not numbers of 0 or more; sets without a class, or distributions that are none, where
    /// they are scored.
    pub fn check(self, examples: usize, predictions: usize) -> Result<()> {
        self.check_shape(examples, predictions)?;
        if let Some(weights) = self.weights
            && let Some((at, weight)) =
                weights.indexed_iter().find(|(_, weight)| !(weight.is_finite() && **weight >= 0.0))
        {
            return Err(Error::invalid(named("weight", at), "a number of 0 or more", weight));
        }
        let scored = |at: (usize, usize)| self.weight(at.0, at.1) > 0.0;
        match self.right {
            RightView::Classes(_) => Ok(()),
            RightView::Sets(sets) => first_wrong(sets, scored, |set| {
                (!set.iter().any(|right| *right)).then(|| ("at least one right class", "none".into()))
            }),
            RightView::Distributions(all) => first_wrong(all, scored, why_no_distribution),
        }
    }

    /// Whether these are targets and weights of so many examples with so many predictions each.
    ///
    /// # Errors
    /// Another shape.
    pub(crate) fn check_shape(self, examples: usize, predictions: usize) -> Result<()> {
        if self.dim() != (examples, predictions) {
            let classes = self.class_count().map_or_else(String::new, |classes| format!(", {classes}"));
            let expected = format!("shape [{examples}, {predictions}{classes}]");
            return Err(Error::invalid("targets", expected, format!("{:?}", self.shape())));
        }
        match self.weights {
            Some(weights) if weights.dim() != (examples, predictions) => {
                let expected = format!("shape [{examples}, {predictions}]");
                Err(Error::invalid("weights", expected, format!("{:?}", weights.shape())))
            }
            _ => Ok(()),
        }
    }

    /// Whether targets are of so many classes.
    ///
    /// # Errors
    /// A class that is not one of them; sets or distributions over another number of classes.
    pub fn check_classes(self, classes: usize) -> Result<()> {
        match (self.right, self.class_count()) {
            (RightView::Classes(right), _) => check_vocabulary(right.iter(), classes),
            (_, Some(found)) if found != classes => {
                Err(Error::invalid("classes of the targets", classes.to_string(), found))
            }
            _ => Ok(()),
        }
    }

    fn shape(&self) -> &[usize] {
        match &self.right {
            RightView::Classes(classes) => classes.shape(),
            RightView::Sets(sets) => sets.shape(),
            RightView::Distributions(all) => all.shape(),
        }
    }
}

/// What was expected and what was found.
type Wrong = (&'static str, String);

/// The first of the scored rows with which something is wrong.
fn first_wrong<A>(
    rows: ArrayView3<A>,
    scored: impl Fn((usize, usize)) -> bool,
    wrong: impl Fn(ArrayView1<A>) -> Option<Wrong>,
) -> Result<()> {
    let (_, predictions, _) = rows.dim();
    for (at, row) in rows.rows().into_iter().enumerate() {
        let at = (at / predictions, at % predictions);
        if let Some((expected, found)) = scored(at).then(|| wrong(row)).flatten() {
            return Err(Error::invalid(named("target", at), expected, found));
        }
    }
    Ok(())
}

fn why_no_distribution(row: ArrayView1<f32>) -> Option<Wrong> {
    if let Some(prob) = row.iter().find(|prob| !(prob.is_finite() && **prob >= 0.0)) {
        return Some(("probabilities of 0 or more", prob.to_string()));
    }
    let sum: f64 = row.iter().map(|prob| f64::from(*prob)).sum();
    let off = (sum - 1.0).abs() > Right::TOLERANCE;
    off.then(|| ("probabilities that sum to 1 (within 1e-4)", format!("a sum of {sum:.6}")))
}

fn named(what: &str, (example, prediction): (usize, usize)) -> String {
    format!("{what} {} of example {}", prediction + 1, example + 1)
}
