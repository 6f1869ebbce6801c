//! A model that is ready to be run: the noun of the library.

use crate::{
    Result,
    engine::{
        Backend, Engine, Gradients, Seed, Vectors,
        hooks::{Cache, Filter, Hooks},
    },
    evaluation::{Evaluation, evaluate},
    model::{Config, Model, processing::Processed},
    task::{Dataset, Token},
};
use ndarray::{Array3, ArrayView2};
use std::{fmt, sync::Arc};

/// A transformer with its engine, under TransformerLens's names: run it, look inside, change what it computes.
///
/// It owns both, and a clone shares them: cloning is cheap, and a clone may go to another thread. What needs no hooks runs
/// on the model's fastest backend; what has hooks or a cache runs on the plain one.
#[derive(Clone)]
pub struct HookedTransformer {
    model: Arc<Model>,
    engine: Arc<dyn Engine>,
}

impl HookedTransformer {
    /// A model on its fastest backend, with the widest vectors that this machine has.
    pub fn new(model: Model) -> Self {
        let engine = Backend::best(model.config()).engine(Vectors::best());
        Self { model: Arc::new(model), engine: engine.into() }
    }

    /// A model on an engine of the caller's: one of [`crate::engine`], or another crate's.
    pub fn with_engine(model: impl Into<Arc<Model>>, engine: impl Into<Arc<dyn Engine>>) -> Self {
        Self { model: model.into(), engine: engine.into() }
    }

    /// The model of a checkpoint: our own, or a TransformerLens state dict as safetensors or (feature `torch`) PyTorch.
    ///
    /// # Errors
    /// As [`Checkpoint::open`](crate::model::checkpoint::Checkpoint::open).
    #[cfg(feature = "files")]
    pub fn from_checkpoint(path: impl AsRef<std::path::Path>, hints: &crate::model::checkpoint::Hints) -> Result<Self> {
        Ok(Self::new(crate::model::checkpoint::Checkpoint::open(path.as_ref(), hints)?.checkpoint.model))
    }

    /// The config and the weights.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The config.
    pub fn config(&self) -> &Config {
        self.model.config()
    }

    /// What runs the model.
    pub fn engine(&self) -> &dyn Engine {
        &*self.engine
    }

    /// The same function with processed weights, on the fastest backend: centred and folded as far as the model allows
    /// (TransformerLens's `load_and_process_state_dict`, see [`Processed`]).
    pub fn processed(&self) -> Self {
        let Processed { model, .. } = self.model.process();
        Self::new(model)
    }

    /// The logits at every position, `[batch, pos, d_vocab_out]`, of `tokens [batch, pos]`.
    ///
    /// # Errors
    /// Sequences that are too long, tokens out of range.
    pub fn forward(&self, tokens: ArrayView2<Token>) -> Result<Array3<f32>> {
        let positions: Vec<usize> = (0..tokens.ncols()).collect();
        self.engine.logits(&self.model, tokens, &positions)
    }

    /// No hooks yet, for this model: add some, and give them to [`run_with_hooks`](Self::run_with_hooks).
    pub fn hooks<'a>(&'a self) -> Hooks<'a, f32> {
        Hooks::new(self.config())
    }

    /// The logits at every position, and the activations that `names_filter` names.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); also unknown names.
    pub fn run_with_cache(&self, tokens: ArrayView2<Token>, names_filter: Filter) -> Result<(Array3<f32>, Cache<f32>)> {
        self.engine.run_with_cache(&self.model, tokens, names_filter)
    }

    /// The logits at every position, after hooks have seen and changed activations.
    ///
    /// # Errors
    /// As [`forward`](Self::forward); also whatever a hook returns.
    pub fn run_with_hooks(&self, tokens: ArrayView2<Token>, hooks: &mut Hooks<'_, f32>) -> Result<Array3<f32>> {
        self.engine.run_with_hooks(&self.model, tokens, hooks)
    }

    /// The logits, and the gradients of the number whose derivative by the logits is `seed`, with respect to the weights
    /// and to the activations that `names_filter` names.
    ///
    /// # Errors
    /// As [`run_with_hooks`](Self::run_with_hooks); also a seed whose shape is not that of the logits.
    pub fn run_with_gradients(
        &self,
        tokens: ArrayView2<Token>,
        hooks: &mut Hooks<'_, f32>,
        names_filter: Filter,
        seed: Seed<'_, f32>,
    ) -> Result<(Array3<f32>, Gradients<f32>)> {
        self.engine.run_with_gradients(&self.model, tokens, hooks, names_filter, seed)
    }

    /// Loss, probabilities and accuracy on a dataset.
    ///
    /// # Errors
    /// An empty dataset, or one that does not fit the model.
    pub fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        evaluate(self.engine(), &self.model, data)
    }
}

impl fmt::Debug for HookedTransformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HookedTransformer")
            .field("config", self.config())
            .field("engine", &self.engine.name())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{engine::Plain, task::SortedList};
    use ndarray::Ix4;

    fn small() -> HookedTransformer {
        let config = Config { d_model: 8, d_head: 4, n_ctx: 7, d_vocab: 10, d_vocab_out: 10, ..Config::default() };
        HookedTransformer::new(Model::init(config, 1).unwrap())
    }

    #[test]
    fn a_clone_shares_weights_and_gives_the_same_numbers_on_another_thread() {
        let model = small();
        let data = SortedList::new(3, 8).unwrap().dataset(20, 1);
        let clone = model.clone();
        assert!(std::ptr::eq(model.model(), clone.model()));
        let evaluation = std::thread::spawn({
            let data = data.clone();
            move || clone.evaluate(&data).unwrap()
        });
        assert_eq!(evaluation.join().unwrap(), model.evaluate(&data).unwrap());
    }

    #[test]
    fn what_it_runs_is_what_its_engine_runs() {
        let model = small();
        let data = SortedList::new(3, 8).unwrap().dataset(2, 1);
        let (logits, cache) = model.run_with_cache(data.tokens(), Filter::All).unwrap();
        assert_eq!(cache.get::<Ix4>("blocks.0.attn.hook_pattern").unwrap().dim(), (2, 2, 7, 7));
        let plain = HookedTransformer::with_engine(model.model().clone(), Arc::new(Plain::new()) as Arc<dyn Engine>);
        for model in [&model, &plain] {
            let found = model.forward(data.tokens()).unwrap();
            assert!(found.iter().zip(&logits).all(|(a, b)| (a - b).abs() < 1e-5), "{}", model.engine().name());
        }
        let mut hooks = model.hooks();
        let silence = |z: &mut ndarray::ArrayViewMutD<f32>| {
            z.fill(0.0);
            Ok(())
        };
        hooks.add("blocks.0.attn.hook_z", silence).unwrap();
        assert_ne!(model.run_with_hooks(data.tokens(), &mut hooks).unwrap(), logits);
    }
}
