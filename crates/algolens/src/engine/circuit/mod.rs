//! The circuit form: one-layer attention-only models, computed through their circuits.
//!
//! The weights become the post's circuits (`tables.rs`) once a step (`weights.rs`); each list is looked up in them, forward
//! (`list.rs`) and backward (`backward.rs`), within a core's cache; from the tables' gradients those of the weights are
//! computed once at the end (`reduction.rs`). No list is multiplied with a weight matrix.

mod backward;
mod list;
mod reduction;
mod shape;
mod tables;
mod weights;

use super::{
    Batch, Engine, Outcome, Score,
    memory::{Memory, Pool, Purpose},
    parallel::{self, GROUPS, LEARNING_GROUPS, lists_per_group},
    queries::Queries,
    softmax::predict,
    vector::{Vectors, padded},
};
use crate::{
    Result,
    model::{Config, Model, Params},
    task::Token,
};
use backward::Backward;
use fearless_simd::{Simd, dispatch};
use fearless_simd_macros::simd;
use list::List;
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

    /// Whether models of this config have a circuit form.
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
    groups: Vec<Group>,
    /// The sum over groups, and the way back to the weights; none before the first backward pass.
    sum: Option<(Tables, Reduction)>,
}

/// One share of a batch.
struct Group {
    list: List,
    /// None before the first backward pass.
    backward: Option<(Backward, Tables)>,
    score: Score,
}

impl Memory for Tabulated {
    fn new(_: &Model, purpose: &Purpose) -> Self {
        let queries = Queries::new(purpose.config.attention_dir, purpose.seq, &purpose.positions);
        let circuits = Circuits::new(Shape::new(&purpose.config, queries.keys));
        let list = || List::new(&circuits.tables, &queries);
        let groups = (0..GROUPS).map(|_| Group { list: list(), backward: None, score: Score::default() }).collect();
        Self { circuits, filled_with: None, groups, sum: None }
    }

    fn logits(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>, all: &mut Array3<f32>) {
        self.fill(vectors, model);
        let lists = lists_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), lists).zip(all.axis_chunks_iter_mut(Axis(0), lists));
        let tables = &self.circuits.tables;
        parallel::for_each(self.groups.iter_mut().zip(shares).collect(), |(group, (tokens, share))| {
            dispatch!(vectors.level(), simd => logits(simd, &mut group.list, tables, tokens, share));
        });
    }

    fn outcomes(&mut self, vectors: Vectors, model: &Model, batch: Batch, all: &mut [Outcome]) {
        self.fill(vectors, model);
        let predictions = lists_per_group(batch.tokens.nrows(), GROUPS) * batch.positions.len();
        let shares = batch.shares(GROUPS).zip(all.chunks_mut(predictions));
        let tables = &self.circuits.tables;
        parallel::for_each(self.groups.iter_mut().zip(shares).collect(), |(group, (batch, share))| {
            dispatch!(vectors.level(), simd => outcomes(simd, &mut group.list, tables, batch, share));
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
        let weight = 1.0 / batch.targets.len() as f32;
        let pieces: Vec<_> = self.groups.iter_mut().zip(batch.shares(LEARNING_GROUPS)).collect();
        let used = pieces.len();
        let tables = &self.circuits.tables;
        parallel::for_each(pieces, |(group, share)| {
            dispatch!(vectors.level(), simd => group.learn(simd, tables, share, weight));
        });
        let shape = tables.shape;
        let (sum, reduction) = self.sum.get_or_insert_with(|| (Tables::new(shape), Reduction::new(shape)));
        let groups = &self.groups[..used];
        let of_groups: Vec<_> = groups.iter().filter_map(|group| group.backward.as_ref()).map(|(_, d)| d).collect();
        add_up(vectors, sum, &of_groups);
        reduction.weights(&self.circuits, model, sum, gradients);
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

/// The sum of the groups' tables, in their order.
fn add_up(vectors: Vectors, sum: &mut Tables, groups: &[&Tables]) {
    let parts = |array| groups.iter().filter_map(move |group| group.arrays().nth(array)).map(|numbers| &numbers[..]);
    let sums = sum.arrays_mut().enumerate().map(|(array, sum)| (&mut sum[..], parts(array).collect()));
    parallel::sum_all(vectors, sums.collect());
}

impl Group {
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S, tables: &Tables, batch: Batch, weight: f32) {
        let list = &mut self.list;
        let new = || (Backward::new(tables, list), Tables::new(tables.shape));
        let (backward, gradients) = self.backward.get_or_insert_with(new);
        gradients.arrays_mut().for_each(|numbers| numbers.fill(0.0));
        self.score = Score::default();
        for (tokens, targets) in batch.tokens.outer_iter().zip(batch.targets.outer_iter()) {
            list.forward(simd, tables, tokens);
            self.score.add(backward.backward(simd, tables, list, targets, weight, gradients));
        }
    }
}

#[simd]
fn logits<S: Simd>(
    simd: S,
    list: &mut List,
    tables: &Tables,
    tokens: ArrayView2<Token>,
    mut logits: ArrayViewMut3<f32>,
) {
    for (tokens, mut logits) in tokens.outer_iter().zip(logits.outer_iter_mut()) {
        list.forward(simd, tables, tokens);
        list.unembed(simd, tables);
        let of_queries = list.unembedded.logits.chunks_exact(padded(tables.shape.classes));
        for (mut row, logits) in logits.outer_iter_mut().zip(of_queries) {
            row.iter_mut().zip(logits).for_each(|(to, from)| *to = *from);
        }
    }
}

#[simd]
fn outcomes<S: Simd>(simd: S, list: &mut List, tables: &Tables, batch: Batch, outcomes: &mut [Outcome]) {
    let lists = batch.tokens.outer_iter().zip(batch.targets.outer_iter());
    for ((tokens, targets), outcomes) in lists.zip(outcomes.chunks_mut(batch.positions.len())) {
        list.forward(simd, tables, tokens);
        list.unembed(simd, tables);
        let of_queries = list.unembedded.logits.chunks_exact_mut(padded(tables.shape.classes));
        for ((logits, target), outcome) in of_queries.zip(targets).zip(outcomes) {
            *outcome = predict(simd, logits, *target as usize).outcome;
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
