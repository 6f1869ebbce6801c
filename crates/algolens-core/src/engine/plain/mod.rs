//! The reference engine: every option, every hook, f32 and f64.
//!
//! Written to be read: a pass over a chunk of lists is `forward.rs` from top to bottom, and `backward.rs` mirrors it.
//! With hooks or a cache the chunk is the whole batch. Without, a batch is cut into a fixed number of groups that run in
//! parallel, each through chunks small enough to stay in a core's cache; what groups sum up is added in their order.

mod attention;
mod backward;
mod forward;
mod groups;
mod mlp;
mod norm;
mod probe;
mod workspace;

use super::{Batch, Engine, Gradients, Score, Seed, check_batch, check_gradients, check_run, check_tokens};
use crate::{
    Error, Result, Scalar,
    engine::hooks::{Cache, Filter, Hooks},
    model::{Config, Model, Params},
    parallel,
    task::Token,
};
use groups::Groups;
use ndarray::{Array3, ArrayView2};
use probe::{Probe, Sizes, Tap};
use std::sync::Mutex;
use workspace::Workspace;

/// The reference engine. Keeps its working memory between calls.
#[derive(Default)]
pub struct Plain<T = f32> {
    idle: Mutex<Vec<Groups<T>>>,
}

/// What every part of a pass needs.
#[derive(Clone, Copy)]
struct Pass<'a, T> {
    config: &'a Config,
    params: &'a Params<T>,
    sizes: Sizes,
}

impl<'a, T: Scalar> Pass<'a, T> {
    fn new(model: &'a Model<T>, tokens: ArrayView2<Token>, predicted: usize) -> Self {
        let config = model.config();
        let sizes = Sizes { lists: tokens.nrows(), seq: tokens.ncols(), heads: config.n_heads, predicted };
        Self { config, params: &model.params, sizes }
    }
}

impl<T: Scalar> Plain<T> {
    /// An engine with no memory yet.
    pub fn new() -> Self {
        Self { idle: Mutex::new(Vec::new()) }
    }

    /// Runs `work` with the memory of an earlier call, or with new memory where other calls are under way.
    fn with_groups<R>(&self, config: &Config, work: impl FnOnce(&mut Groups<T>) -> R + Send) -> R
    where
        R: Send,
    {
        let fits = |groups: &Groups<T>| groups.config() == config;
        let mut idle = self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let kept = idle.iter().position(fits).map(|at| idle.swap_remove(at));
        drop(idle);
        let mut groups = kept.unwrap_or_else(|| Groups::new(config));
        let result = parallel::enter(|| work(&mut groups));
        self.idle.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(groups);
        result
    }
}

impl<T: Scalar> Engine<T> for Plain<T> {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn logits(&self, model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<T>> {
        check_tokens(model, tokens, positions)?;
        let mut logits = Array3::zeros((tokens.nrows(), positions.len(), model.config().d_vocab_out));
        self.with_groups(model.config(), |groups| groups.logits(model, tokens, positions, &mut logits));
        Ok(logits)
    }

    fn loss_and_gradients(&self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Result<Score> {
        check_batch(model, batch)?;
        check_gradients(model, gradients)?;
        Ok(self.with_groups(model.config(), |groups| groups.loss_and_gradients(model, batch, gradients)))
    }

    fn run(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
    ) -> Result<(Array3<T>, Cache<T>)> {
        check_run(model, tokens, hooks)?;
        let mut tap = tap(hooks, record.points(model.config())?, Vec::new());
        let (_, workspace) = whole_batch(model, tokens, &mut tap)?;
        Ok((logits_of(&workspace), tap.cache))
    }

    fn run_with_gradients(
        &self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, T>,
        record: Filter,
        seed: Seed<'_, T>,
    ) -> Result<(Array3<T>, Gradients<T>)> {
        check_run(model, tokens, hooks)?;
        let mut tap = tap(hooks, Vec::new(), record.points(model.config())?);
        let (pass, mut workspace) = whole_batch(model, tokens, &mut tap)?;
        let logits = logits_of(&workspace);
        let seed = seed(logits.view())?;
        if seed.dim() != logits.dim() {
            let (expected, found) = (format!("{:?}", logits.shape()), format!("{:?}", seed.shape()));
            return Err(Error::invalid("seed of the gradients", expected, found));
        }
        workspace.logits.iter_mut().zip(&seed).for_each(|(logit, d)| *logit = *d);
        let mut params = Params::like(model.params.layout().clone());
        workspace.backward(pass, tokens, &every_position(tokens), &mut params, &mut tap);
        Ok((logits, Gradients { params, activations: tap.gradients }))
    }
}

fn tap<'r, 'h, T: Scalar>(
    hooks: &'r mut Hooks<'h, T>,
    record: Vec<super::hooks::HookPoint>,
    record_gradients: Vec<super::hooks::HookPoint>,
) -> Tap<'r, 'h, T> {
    Tap { hooks, record, record_gradients, cache: Cache::default(), gradients: Cache::default() }
}

fn every_position(tokens: ArrayView2<Token>) -> Vec<usize> {
    (0..tokens.ncols()).collect()
}

/// One forward pass over all sequences and positions at once.
fn whole_batch<'a, T: Scalar, P: Probe<T>>(
    model: &'a Model<T>,
    tokens: ArrayView2<Token>,
    probe: &mut P,
) -> Result<(Pass<'a, T>, Workspace<T>)> {
    let pass = Pass::new(model, tokens, tokens.ncols());
    let mut workspace = Workspace::new(pass.config, pass.sizes);
    workspace.forward(pass, tokens, &every_position(tokens), probe)?;
    Ok((pass, workspace))
}

fn logits_of<T: Scalar>(workspace: &Workspace<T>) -> Array3<T> {
    let Sizes { lists, predicted, .. } = workspace.sizes;
    let shape = (lists, predicted, workspace.logits.ncols());
    workspace.logits.clone().into_shape_with_order(shape).expect("rows are (list, position) pairs")
}
