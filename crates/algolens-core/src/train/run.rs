//! The training loop.

use super::{Adam, EpochRecord, Examples, Recipe, history, split};
use crate::{
    Error, Result,
    engine::{Batch, Engine, Score},
    model::{Config, Model, Params},
    observer::Observer,
    parallel, random,
    task::{Dataset, Registry, Targets, Task, Token},
};
use ndarray::Array2;
use rand::seq::SliceRandom;
use std::sync::Arc;

/// A training run as of the end of its last finished epoch.
///
/// Nothing random is part of it: data, initial weights and each epoch's order are streams of the recipe's seed.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) recipe: Recipe,
    pub(super) learnt: Learnt,
    pub(super) model: Model,
    pub(super) adam: Adam,
    /// Of the epoch that is kept; the initial weights before the first.
    pub(super) best: Params<f32>,
    pub(super) history: Vec<EpochRecord>,
}

/// What a run learns from.
#[derive(Clone, Debug)]
pub(super) enum Learnt {
    /// Examples that a task draws.
    Task(Arc<dyn Task>),
    /// Those of a file.
    Examples(Arc<Examples>),
}

impl Learnt {
    /// The config of a recipe's models.
    pub(super) fn config(&self, recipe: &Recipe) -> Config {
        match self {
            Self::Task(task) => recipe.model.config(&**task),
            Self::Examples(examples) => recipe.model.config_for(examples.train()),
        }
    }
}

impl PartialEq for Run {
    /// The recipe says what is learnt.
    fn eq(&self, other: &Self) -> bool {
        self.recipe == other.recipe
            && self.model == other.model
            && self.adam == other.adam
            && self.best == other.best
            && self.history == other.history
    }
}

/// What a training run tells its observer.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// A step was taken.
    Step(Progress),
    /// A checkpoint of the weights is due, as [`Recipe::checkpoint_every`] says.
    Checkpoint {
        /// Optimizer steps taken.
        steps: u64,
        /// The model after them.
        model: &'a Model,
    },
    /// An epoch is finished: now is the time to save [`Run::to_bytes`].
    Epoch(&'a Run),
}

/// How far the present epoch has come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Counted from 1.
    pub epoch: usize,
    /// Steps of this epoch that are done.
    pub step: usize,
    /// Steps of the epoch.
    pub steps_per_epoch: usize,
    /// Examples of this epoch that were learnt from.
    pub examples: usize,
    /// How well each batch of this epoch was predicted before its step.
    pub score: Score,
}

impl Run {
    /// A run before its first epoch. The registry knows the recipe's task.
    ///
    /// # Errors
    /// A task that the registry does not know, a recipe that [`Recipe::validate`] refuses.
    pub fn new(recipe: Recipe, registry: &Registry) -> Result<Self> {
        let task = registry.task(recipe.task_spec()?)?;
        Self::on_task(recipe, task)
    }

    /// A run on a task that no registry need know, before its first epoch; it goes before the recipe's.
    ///
    /// # Errors
    /// A recipe that [`Recipe::validate`] refuses.
    pub fn on_task(recipe: Recipe, task: Arc<dyn Task>) -> Result<Self> {
        let recipe = Recipe { task: Some(task.spec()), ..recipe };
        recipe.validate(&recipe.model.config(&*task))?;
        Self::begin(split::sized(recipe, &*task)?, Learnt::Task(task))
    }

    /// A run on the examples of a file, before its first epoch. They go before the recipe's task and sizes of data.
    ///
    /// # Errors
    /// A recipe that [`Recipe::validate`] refuses.
    pub fn on_examples(recipe: Recipe, examples: Arc<Examples>) -> Result<Self> {
        let recipe = Recipe {
            task: None,
            data: Some(examples.source().clone()),
            train_size: examples.train().len(),
            validation_size: examples.validation().len(),
            train_share: None,
            ..recipe
        };
        Self::begin(recipe, Learnt::Examples(examples))
    }

    fn begin(recipe: Recipe, learnt: Learnt) -> Result<Self> {
        let config = learnt.config(&recipe);
        let recipe = recipe.attending_as(&config);
        recipe.validate(&config)?;
        let model = Model::init(config, recipe.seed)?;
        let adam = Adam::new(&recipe, model.params.values().len());
        Ok(Self { best: model.params.clone(), recipe, learnt, model, adam, history: Vec::new() })
    }

    /// The task that is learnt; none where a file has the examples.
    pub fn task(&self) -> Option<&Arc<dyn Task>> {
        match &self.learnt {
            Learnt::Task(task) => Some(task),
            Learnt::Examples(_) => None,
        }
    }

    /// The examples that are learnt, where no task draws them.
    pub fn examples(&self) -> Option<&Arc<Examples>> {
        match &self.learnt {
            Learnt::Task(_) => None,
            Learnt::Examples(examples) => Some(examples),
        }
    }

    /// What the run is made from.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The model after the last finished epoch.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The model after the epoch whose weights [`Recipe::keep`] keeps; the untrained model before the first epoch.
    pub fn best(&self) -> Model {
        let mut model = self.model.clone();
        model.params.clone_from(&self.best);
        model
    }

    /// The finished epochs.
    pub fn history(&self) -> &[EpochRecord] {
        &self.history
    }

    /// Whether every epoch is done, or what the recipe stops at is reached.
    pub fn finished(&self) -> bool {
        self.history.len() == self.recipe.epochs || self.history.last().is_some_and(|last| last.reaches(&self.recipe))
    }

    /// Whether the run is one of this recipe.
    ///
    /// # Errors
    /// Names the first key that differs, with both values.
    pub fn resumable_by(&self, recipe: &Recipe) -> Result<()> {
        self.recipe.check_same(&recipe.clone().attending_as(&self.learnt.config(recipe)))
    }

    /// Trains from where the run stands to its end. When it ends early, the run stands at its last finished epoch.
    ///
    /// # Errors
    /// [`Error::Cancelled`] if the observer asks for it; a loss that is not finite.
    pub fn train(&mut self, engine: &dyn Engine, observer: &mut dyn for<'a> Observer<Event<'a>>) -> Result<()> {
        if self.finished() {
            return Ok(());
        }
        let learnt = self.learnt.clone();
        let drawn;
        let (train, validation) = match &learnt {
            Learnt::Task(task) => {
                drawn = split::draw(&self.recipe, &**task)?;
                (&drawn.0, &drawn.1)
            }
            Learnt::Examples(examples) => (examples.train(), examples.validation()),
        };
        if self.history.is_empty() && self.recipe.checkpoint_due(0) {
            tell(observer, Event::Checkpoint { steps: 0, model: &self.model })?;
        }
        let mut scratch = Scratch::new(self, train);
        while !self.finished() {
            self.epoch(engine, train, validation, &mut scratch, observer)?;
            tell(observer, Event::Epoch(self))?;
        }
        Ok(())
    }

    /// One epoch, on copies that become the run's state at its end.
    fn epoch(
        &mut self,
        engine: &dyn Engine,
        train: &Dataset,
        validation: &Dataset,
        scratch: &mut Scratch,
        observer: &mut dyn for<'a> Observer<Event<'a>>,
    ) -> Result<()> {
        let (mut model, mut adam) = (self.model.clone(), self.adam.clone());
        let epoch = self.history.len();
        let steps = self.recipe.steps_per_epoch();
        let (mut score, mut examples) = (Score::default(), 0);
        let Scratch { order, rows, next, gradients } = scratch;
        next.gather(train, order.batch(&self.recipe, train.len(), adam.steps()));
        for at in 0..steps {
            std::mem::swap(rows, next);
            let name = || format!("loss at step {} of epoch {}", at + 1, epoch + 1);
            let (done, rate) = (adam.steps() + 1, self.recipe.learning_rate(adam.steps()));
            let step = || -> Result<Score> {
                let batch_score = engine.loss_and_gradients(&model, rows.batch(train), gradients)?;
                // The sum is of a batch in which nothing is scored too.
                check_finite(batch_score.loss_sum, name)?;
                adam.step(rate, model.params.values_mut(), gradients.values());
                Ok(batch_score)
            };
            let following = if at + 1 < steps { order.batch(&self.recipe, train.len(), done) } else { &[] };
            let (batch_score, ()) = parallel::join(step, || next.gather(train, following));
            let batch_score = batch_score?;
            score.add(batch_score);
            examples += rows.examples;
            let progress = Progress { epoch: epoch + 1, step: at + 1, steps_per_epoch: steps, examples, score };
            tell(observer, Event::Step(progress))?;
            if self.recipe.checkpoint_due(adam.steps()) {
                tell(observer, Event::Checkpoint { steps: adam.steps(), model: &model })?;
            }
        }
        let validation_score = engine.score(&model, validation.into())?;
        check_finite(validation_score.loss(), || format!("validation loss after epoch {}", epoch + 1))?;
        let record = EpochRecord::new(&self.recipe, &self.history, score, validation_score);
        if record.best {
            self.best.clone_from(&model.params);
        }
        self.history.push(record);
        (self.model, self.adam) = (model, adam);
        debug_assert_eq!(self.adam.steps(), history::steps(&self.recipe, self.history.len()));
        Ok(())
    }
}

fn tell(observer: &mut dyn for<'a> Observer<Event<'a>>, event: Event<'_>) -> Result<()> {
    if observer.on(event).is_break() { Err(Error::Cancelled) } else { Ok(()) }
}

fn check_finite(loss: f64, what: impl FnOnce() -> String) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    Err(Error::invalid(what(), "a finite number (a lower lr_start may help)", loss))
}

/// The order in which a pass over the examples, counted from 0, sees them.
fn shuffled(examples: usize, seed: u64, pass: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..examples).collect();
    order.shuffle(&mut random::stream(seed, &format!("shuffle/{pass}")));
    order
}

/// The order of one pass over the examples.
struct Order {
    /// Counted from 0; none before the first is known.
    pass: Option<u64>,
    examples: Vec<usize>,
}

impl Order {
    /// The examples of an optimizer step, counted from 0.
    fn batch(&mut self, recipe: &Recipe, examples: usize, step: u64) -> &[usize] {
        let steps = recipe.steps_per_pass() as u64;
        let (pass, at) = (step / steps, (step % steps) as usize);
        if self.pass != Some(pass) {
            *self = Self { pass: Some(pass), examples: shuffled(examples, recipe.seed, pass) };
        }
        self.examples.chunks(recipe.batch_size).nth(at).unwrap_or_default()
    }
}

/// Memory that every step uses again.
struct Scratch {
    order: Order,
    rows: Rows,
    /// Those of the following step.
    next: Rows,
    gradients: Params<f32>,
}

impl Scratch {
    fn new(run: &Run, train: &Dataset) -> Self {
        let rows = || Rows::new(run.recipe.batch_size.min(train.len()), train);
        let order = Order { pass: None, examples: Vec::new() };
        Self { order, rows: rows(), next: rows(), gradients: Params::like(run.model.params.layout().clone()) }
    }
}

/// The rows of one batch.
struct Rows {
    tokens: Array2<Token>,
    targets: Targets,
    /// How many there are: fewer than there is room for in an epoch's last batch.
    examples: usize,
}

impl Rows {
    fn new(most: usize, data: &Dataset) -> Self {
        let tokens = Array2::zeros((most, data.tokens().ncols()));
        Self { tokens, targets: Targets::room(data.targets(), most), examples: 0 }
    }

    /// Copies these examples together.
    fn gather(&mut self, data: &Dataset, examples: &[usize]) {
        let from = data.tokens();
        for (mut tokens, &example) in self.tokens.rows_mut().into_iter().zip(examples) {
            tokens.assign(&from.row(example));
        }
        self.targets.gather(data.targets(), examples);
        self.examples = examples.len();
    }

    fn batch<'a>(&'a self, data: &'a Dataset) -> Batch<'a> {
        let Self { tokens, targets, examples } = self;
        Batch { tokens: tokens.view(), targets: targets.view(), positions: data.positions() }.slice(0, *examples)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The order is part of what a seed means: this changes only on purpose.
    #[test]
    fn an_epoch_s_order_is_a_function_of_seed_and_epoch() {
        let order = shuffled(8, 1, 0);
        assert_eq!(order, [1, 2, 0, 6, 7, 4, 3, 5]);
        assert_ne!(order, shuffled(8, 1, 1));
        assert_ne!(order, shuffled(8, 2, 0));
    }
}
