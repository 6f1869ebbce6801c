//! The work that is timed: a model, and lists that it could learn from.

use crate::{data, load::Opened};
use algolens::{
    Error, Result,
    engine::Batch,
    model::{Config, Model},
    random::{self, Twister},
    task::{Dataset, SortedList, Task, Token},
    train::Recipe,
};
use ndarray::{Array2, ArrayView2, s};
use std::sync::Arc;

/// The number of lists in the larger forward pass.
pub const MANY: usize = 20_480;
/// The number of lists whose activations are recorded.
pub const CACHED: usize = 500;
/// The number of batches that training steps take in turn.
const BATCHES: usize = 16;
/// The seed of lists and untrained weights.
const SEED: u64 = 0;

/// A model, lists and an optimizer.
pub struct Workload {
    /// The model.
    pub model: Model,
    /// The recipe whose optimizer takes the training steps.
    pub recipe: Recipe,
    tokens: Array2<Token>,
    targets: Array2<Token>,
    positions: Vec<usize>,
    batch: usize,
}

impl Workload {
    /// The work on a model, or on the post's untrained: batches of so many lists, judged at the positions that `predicted`
    /// names.
    ///
    /// # Errors
    /// Batches that are empty or too large, unknown positions.
    pub fn new(opened: Option<Opened>, batch: usize, predicted: Option<&str>) -> Result<Self> {
        let recipe = Recipe { seed: SEED, ..Recipe::default() };
        let (model, task): (_, Option<Arc<dyn Task>>) = match opened {
            Some(opened) => {
                let task = opened.task().ok();
                (opened.model, task)
            }
            None => (Model::init(recipe.model.config(&SortedList::POST), SEED)?, Some(Arc::new(SortedList::POST))),
        };
        let config = model.config();
        let lists = MANY.max(batch.saturating_mul(BATCHES));
        if batch == 0 {
            return Err(Error::invalid("--batch", "1 or more", 0));
        }
        data::check_lists(config.n_ctx, lists)?;
        let positions = positions(predicted, config, task.as_deref())?;
        let mut rng = random::stream(SEED, "bench");
        let (tokens, targets) = match task {
            Some(task) => task_lists(&*task, config, lists, &positions, &mut rng)?,
            None => {
                let tokens = random(lists, config.n_ctx, config.d_vocab, &mut rng);
                (tokens, random(lists, positions.len(), config.d_vocab_out, &mut rng))
            }
        };
        Ok(Self { model, recipe, tokens, targets, positions, batch })
    }

    /// The batch of a training step; batches recur.
    pub fn batch(&self, step: usize) -> Batch<'_> {
        let from = step % BATCHES * self.batch;
        self.all().slice(from, from + self.batch)
    }

    /// The batch of [`MANY`] lists.
    pub fn many(&self) -> Batch<'_> {
        self.all().slice(0, MANY)
    }

    /// The tokens of [`CACHED`] lists.
    pub fn cached(&self) -> ArrayView2<'_, Token> {
        self.tokens.slice(s![..CACHED, ..])
    }

    fn all(&self) -> Batch<'_> {
        Batch { tokens: self.tokens.view(), targets: self.targets.view().into(), positions: &self.positions }
    }
}

/// The predicted positions that are asked for.
fn positions(which: Option<&str>, config: &Config, task: Option<&dyn Task>) -> Result<Vec<usize>> {
    let n_ctx = config.n_ctx;
    match which {
        None => Ok(task.map_or_else(|| (0..n_ctx).collect(), Task::predicted_positions)),
        Some("all") => Ok((0..n_ctx).collect()),
        Some("last") => Ok(vec![n_ctx - 1]),
        Some(range) => {
            let ends = range.split_once("..").and_then(|(from, to)| from.parse().ok().zip(to.parse().ok()));
            let expected = || format!("last, all, or A..B with A < B ≤ {n_ctx}");
            ends.filter(|(from, to)| from < to && *to <= n_ctx)
                .map(|(from, to)| (from..to).collect())
                .ok_or_else(|| Error::invalid("--positions", expected(), range))
        }
    }
}

/// Lists of a task, with their targets; where the task predicts nothing, targets are random.
fn task_lists(
    task: &dyn Task,
    config: &Config,
    lists: usize,
    positions: &[usize],
    rng: &mut Twister,
) -> Result<(Array2<Token>, Array2<Token>)> {
    let data = Dataset::generate(task, lists, rng)?;
    let mut targets = random(lists, positions.len(), config.d_vocab_out, rng);
    for (at, position) in positions.iter().enumerate() {
        if let Some(slot) = data.positions().iter().position(|predicted| predicted == position) {
            targets.slice_mut(s![.., at]).assign(&data.classes()?.slice(s![.., slot]));
        }
    }
    Ok((data.tokens().to_owned(), targets))
}

/// Random tokens.
fn random(lists: usize, width: usize, vocabulary: usize, rng: &mut Twister) -> Array2<Token> {
    Array2::from_shape_simple_fn((lists, width), || (rng.next_u32() as usize % vocabulary) as Token)
}
