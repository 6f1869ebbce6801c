//! The circuit backend: one-layer attention-only models, computed through their circuits.
//!
//! The weights become the post's circuits (`tables.rs`) once a step (`weights.rs`); each list is looked up in them, forward
//! (`list.rs`) and backward (`backward.rs`), within a core's cache; from the tables' gradients those of the weights are
//! computed once at the end (`reduction.rs`). No list is multiplied with a weight matrix.

mod backward;
mod list;
mod reduction;
mod rows;
mod shape;
mod tables;
mod weights;

use super::{
    Batch, Engine, Outcome, Score,
    groups::{GROUPS, LEARNING_GROUPS, sequences_per_chunk, sequences_per_group, sum_all},
    level::Vectors,
    memory::{Memory, Pool, Purpose},
    queries::Queries,
    vector::padded,
};
use crate::dispatch;
use crate::{
    Result,
    model::{Config, Model, Params},
    parallel::{self, PerThread},
    task::Token,
};
use backward::Backward;
use fearless_simd::Simd;
use list::{List, forward};
use ndarray::{Array3, ArrayView2, ArrayViewMut3, Axis};
use reduction::Reduction;
use shape::Shape;
use tables::Tables;
use weights::Circuits;

/// The engine of one-layer attention-only models. Keeps its working memory between calls.
#[derive(Default)]
pub struct Circuit {
    vectors: Vectors,
    pool: Pool<Tabulated>,
}

impl Circuit {
    /// An engine that uses these instructions.
    pub fn new(vectors: Vectors) -> Self {
        Self { vectors, pool: Pool::default() }
    }

    /// Whether models of this config have a circuit backend.
    ///
    /// # Errors
    /// Names what it does not cover: several blocks, MLPs, shortformer positions, tables that would be too large.
    pub fn check(config: &Config) -> Result<()> {
        Shape::check(config)
    }
}

struct Tabulated {
    circuits: Circuits,
    /// The weights that the circuits were made from.
    filled_with: Option<Params<f32>>,
    chunks: PerThread<Chunk>,
    /// The gradients of each share of a batch; none before the first backward pass.
    groups: Vec<Group>,
    /// The sum over groups, and the way back to the weights; none before the first backward pass.
    sum: Option<(Tables, Reduction)>,
}

/// The memory of lists that are worked on together.
struct Chunk {
    lists: Vec<List>,
    /// None before the first backward pass.
    backward: Option<Backward>,
}

/// What is learnt from one share of a batch.
struct Group {
    gradients: Tables,
    score: Score,
}

impl Memory for Tabulated {
    fn new(_: &Model, purpose: &Purpose) -> Self {
        let queries = Queries::new(purpose.config.attention_dir, purpose.seq, &purpose.positions);
        let circuits = Circuits::new(Shape::new(&purpose.config, queries.keys));
        let lists = sequences_per_chunk(&purpose.config, purpose.seq);
        let chunks = PerThread::new(|| Chunk::new(&circuits.tables, &queries, lists));
        Self { circuits, filled_with: None, chunks, groups: Vec::new(), sum: None }
    }

    fn logits(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>, all: &mut Array3<f32>) {
        self.fill(vectors, model);
        let Self { chunks, circuits, .. } = self;
        let lists = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), lists).zip(all.axis_chunks_iter_mut(Axis(0), lists));
        parallel::for_each(shares.collect(), |(tokens, share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => chunk.logits(simd, &circuits.tables, tokens, share));
            });
        });
    }

    fn outcomes(&mut self, vectors: Vectors, model: &Model, batch: Batch, all: &mut [Outcome]) {
        self.fill(vectors, model);
        let Self { chunks, circuits, .. } = self;
        let predictions = sequences_per_group(batch.tokens.nrows(), GROUPS) * batch.positions.len();
        let shares = batch.shares(GROUPS).zip(all.chunks_mut(predictions));
        parallel::for_each(shares.collect(), |(batch, share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => chunk.outcomes(simd, &circuits.tables, batch, share));
            });
        });
    }

    fn loss_and_gradients(
        &mut self,
        vectors: Vectors,
        model: &Model,
        batch: Batch,
        gradients: &mut Params<f32>,
    ) -> Score {
        self.fill(vectors, model);
        let Self { chunks, circuits, groups, sum, .. } = self;
        let (tables, shape) = (&circuits.tables, circuits.tables.shape);
        let weight = 1.0 / batch.targets.len() as f32;
        let shares: Vec<_> = batch.shares(LEARNING_GROUPS).collect();
        groups.resize_with(shares.len().max(groups.len()), || Group {
            gradients: Tables::new(shape),
            score: Score::default(),
        });
        let groups = &mut groups[..shares.len()];
        parallel::for_each(groups.iter_mut().zip(shares).collect(), |(group, share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => group.score = chunk.learn(simd, tables, share, weight, &mut group.gradients));
            });
        });
        let (sum, reduction) = sum.get_or_insert_with(|| (Tables::new(shape), Reduction::new(shape)));
        add_up(vectors, sum, groups);
        reduction.weights(circuits, model, sum, gradients);
        let mut score = Score::default();
        groups.iter().for_each(|group| score.add(group.score));
        score
    }
}

impl Tabulated {
    /// Makes the circuits the model's.
    fn fill(&mut self, vectors: Vectors, model: &Model) {
        if self.filled_with.as_ref().is_some_and(|params| same_bits(params.values(), model.params.values())) {
            return;
        }
        self.circuits.fill(vectors, model);
        match &mut self.filled_with {
            Some(params) => params.values_mut().copy_from_slice(model.params.values()),
            None => self.filled_with = Some(model.params.clone()),
        }
    }
}

/// Whether two models of one config have the same weights, found out many at a time.
fn same_bits(a: &[f32], b: &[f32]) -> bool {
    const AT_A_TIME: usize = 256;
    a.chunks(AT_A_TIME)
        .zip(b.chunks(AT_A_TIME))
        .all(|(a, b)| a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a.to_bits() ^ b.to_bits())) == 0)
}

/// The sum of the groups' gradients, in their order.
fn add_up(vectors: Vectors, sum: &mut Tables, groups: &[Group]) {
    let parts =
        |array| groups.iter().filter_map(move |group| group.gradients.arrays().nth(array)).map(|part| &part[..]);
    let sums = sum.arrays_mut().enumerate().map(|(array, sum)| (&mut sum[..], parts(array).collect()));
    sum_all(vectors, sums.collect());
}

impl Chunk {
    fn new(tables: &Tables, queries: &Queries, lists: usize) -> Self {
        Self { lists: (0..lists).map(|_| List::new(tables, queries)).collect(), backward: None }
    }

    /// Replaces `gradients` by those of `weight` times the cross-entropy of a share, and scores it.
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S, tables: &Tables, share: Batch, weight: f32, gradients: &mut Tables) -> Score {
        let Self { lists, backward } = self;
        let backward = backward.get_or_insert_with(|| Backward::new(tables, lists));
        gradients.arrays_mut().for_each(|numbers| numbers.fill(0.0));
        let mut score = Score::default();
        for batch in share.chunks(lists.len()) {
            let lists = &mut lists[..batch.tokens.nrows()];
            forward(simd, tables, lists, batch.tokens);
            score.add(backward.run(simd, tables, lists, batch.targets, weight, gradients));
        }
        score
    }

    #[inline(always)]
    fn logits<S: Simd>(&mut self, simd: S, tables: &Tables, tokens: ArrayView2<Token>, mut all: ArrayViewMut3<f32>) {
        let lists = self.lists.len();
        let chunks = tokens.axis_chunks_iter(Axis(0), lists).zip(all.axis_chunks_iter_mut(Axis(0), lists));
        for (tokens, mut all) in chunks {
            let lists = &mut self.lists[..tokens.nrows()];
            forward(simd, tables, lists, tokens);
            for (list, mut all) in lists.iter().zip(all.outer_iter_mut()) {
                let logits = list.unembedded.logits.chunks_exact(padded(tables.shape.classes));
                for (mut row, logits) in all.outer_iter_mut().zip(logits) {
                    row.iter_mut().zip(logits).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    #[inline(always)]
    fn outcomes<S: Simd>(&mut self, simd: S, tables: &Tables, batch: Batch, outcomes: &mut [Outcome]) {
        let (lists, predictions) = (self.lists.len(), batch.positions.len());
        for (batch, outcomes) in batch.chunks(lists).zip(outcomes.chunks_mut(lists * predictions)) {
            let lists = &mut self.lists[..batch.tokens.nrows()];
            forward(simd, tables, lists, batch.tokens);
            let of_lists = batch.targets.outer_iter().zip(outcomes.chunks_mut(predictions));
            for (list, (targets, outcomes)) in lists.iter_mut().zip(of_lists) {
                list.predict(simd, targets);
                for (prediction, outcome) in list.unembedded.predictions.iter().zip(outcomes) {
                    *outcome = prediction.outcome();
                }
            }
        }
    }
}

impl Engine for Circuit {
    fn name(&self) -> &'static str {
        "circuit"
    }

    fn logits(&self, model: &Model, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<f32>> {
        Self::check(model.config())?;
        self.pool.logits(self.vectors, model, tokens, positions)
    }

    fn outcomes(&self, model: &Model, batch: Batch) -> Result<Vec<Outcome>> {
        Self::check(model.config())?;
        self.pool.outcomes(self.vectors, model, batch)
    }

    fn loss_and_gradients(&self, model: &Model, batch: Batch, gradients: &mut Params<f32>) -> Result<Score> {
        Self::check(model.config())?;
        self.pool.loss_and_gradients(self.vectors, model, batch, gradients)
    }
}
