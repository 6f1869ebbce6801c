//! The circuit backend: one-layer attention-only models, computed through their circuits.
//!
//! The weights become the post's circuits (`tables.rs`) once a step (`weights.rs`); each sequence is looked up in them, forward
//! (`sequence.rs`) and backward (`backward.rs`), within a core's cache; from the tables' gradients those of the weights are
//! computed once at the end (`weight_gradients.rs`). No sequence is multiplied with a weight matrix.
//!
//! Norms of every kind, also another before the unembedding, positions that are nowhere, grouped keys and values, any scale,
//! absent biases and tied embeddings change no more than what the tables are made from. What falls to the table backend: other
//! depths, MLPs and what belongs to them, as what these write is not linear in what they read; shortformer positions, which
//! queries and keys see and values do not; rotary positions, whose scores are not of a query's feature and a key's feature
//! alone; soft caps, windows, padding and masked keys with a share, which would bend the scores or logits behind the tables.

mod backward;
mod rows;
mod sequence;
mod shape;
mod tables;
mod weight_gradients;
mod weights;

use super::{
    Batch, Engine, Outcome, Score,
    groups::{GROUPS, LEARNING_GROUPS, sequences_per_chunk, sequences_per_group, sum_all, with_classes},
    hooks::{Cache, Filter, Hooks},
    level::Vectors,
    memory::{BufferKey, Memory, Pool},
    plain::precision::Precision,
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
use ndarray::{Array3, ArrayView2, ArrayViewMut3, Axis};
use sequence::{SequenceState, forward};
use shape::Shape;
use tables::Tables;
use weight_gradients::WeightGradients;
use weights::Circuits;

/// The engine of one-layer attention-only models. Keeps its working memory between calls.
#[derive(Default)]
pub struct Circuit {
    vectors: Vectors,
    pool: Pool<CircuitBuffers>,
}

impl Circuit {
    /// An engine that uses these instructions.
    pub fn new(vectors: Vectors) -> Self {
        Self { vectors, pool: Pool::default() }
    }

    /// Whether models of this config have a circuit backend.
    ///
    /// # Errors
    /// Names what it does not cover: several blocks or none, MLPs, shortformer and rotary positions, soft caps, windows,
    /// padding, masked keys that have a share, tables that would be too large.
    pub fn check(config: &Config) -> Result<()> {
        Shape::check(config)
    }
}

struct CircuitBuffers {
    circuits: Circuits,
    /// The weights that the circuits were made from.
    filled_with: Option<Params<f32>>,
    chunks: PerThread<Chunk>,
    /// The gradients of each share of a batch; none before the first backward pass.
    groups: Vec<Group>,
    /// The sum over groups, and the way back to the weights; none before the first backward pass.
    sum: Option<(Tables, WeightGradients)>,
}

/// The memory of sequences that are worked on together.
struct Chunk {
    sequences: Vec<SequenceState>,
    /// None before the first backward pass.
    backward: Option<Backward>,
}

/// What is learnt from one share of a batch.
struct Group {
    gradients: Tables,
    score: Score,
}

impl Memory for CircuitBuffers {
    fn new(_: &Model, key: &BufferKey) -> Self {
        let queries = Queries::new(key.config.attention_dir, key.seq, &key.positions);
        let circuits = Circuits::new(Shape::new(&key.config, queries.keys));
        let sequences = sequences_per_chunk(&key.config, key.seq);
        let chunks = PerThread::new(|| Chunk::new(&circuits.tables, &queries, sequences));
        Self { circuits, filled_with: None, chunks, groups: Vec::new(), sum: None }
    }

    fn logits(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>, all: &mut Array3<f32>) {
        self.fill(vectors, model);
        let Self { chunks, circuits, .. } = self;
        let sequences = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), sequences).zip(all.axis_chunks_iter_mut(Axis(0), sequences));
        parallel::for_each(shares.collect(), |(tokens, share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => chunk.logits(simd, &circuits.tables, tokens, share));
            });
        });
    }

    fn outcomes(
        &mut self,
        vectors: Vectors,
        model: &Model,
        tokens: ArrayView2<Token>,
        classes: ArrayView2<Token>,
        all: &mut [Outcome],
    ) {
        self.fill(vectors, model);
        let Self { chunks, circuits, .. } = self;
        let sequences = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = with_classes(tokens, classes, sequences).zip(all.chunks_mut(sequences * classes.ncols()));
        parallel::for_each(shares.collect(), |((tokens, classes), share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => chunk.outcomes(simd, &circuits.tables, tokens, classes, share));
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
        let scale = 1.0 / batch.targets.total_weight() as f32;
        let shares: Vec<_> = batch.shares(LEARNING_GROUPS).collect();
        groups.resize_with(shares.len().max(groups.len()), || Group {
            gradients: Tables::new(shape),
            score: Score::default(),
        });
        let groups = &mut groups[..shares.len()];
        parallel::for_each(groups.iter_mut().zip(shares).collect(), |(group, share)| {
            chunks.with(|chunk| {
                dispatch!(vectors, simd => group.score = chunk.learn(simd, tables, share, scale, &mut group.gradients));
            });
        });
        let (sum, weight_gradients) = sum.get_or_insert_with(|| (Tables::new(shape), WeightGradients::new(shape)));
        add_up(vectors, sum, groups);
        weight_gradients.weights(circuits, model, sum, gradients);
        let mut score = Score::default();
        groups.iter().for_each(|group| score.add(group.score));
        score
    }
}

impl CircuitBuffers {
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
    fn new(tables: &Tables, queries: &Queries, sequences: usize) -> Self {
        Self { sequences: (0..sequences).map(|_| SequenceState::new(tables, queries)).collect(), backward: None }
    }

    /// Replaces `gradients` by those of `scale` times the weighted sum of a share's losses, and scores it.
    #[inline(always)]
    fn learn<S: Simd>(&mut self, simd: S, tables: &Tables, share: Batch, scale: f32, gradients: &mut Tables) -> Score {
        let Self { sequences, backward } = self;
        let backward = backward.get_or_insert_with(|| Backward::new(tables, sequences));
        gradients.arrays_mut().for_each(|numbers| numbers.fill(0.0));
        let mut score = Score::default();
        for batch in share.chunks(sequences.len()) {
            let sequences = &mut sequences[..batch.tokens.nrows()];
            forward(simd, tables, sequences, batch.tokens);
            score.add(backward.run(simd, tables, sequences, batch.targets, scale, gradients));
        }
        score
    }

    #[inline(always)]
    fn logits<S: Simd>(&mut self, simd: S, tables: &Tables, tokens: ArrayView2<Token>, mut all: ArrayViewMut3<f32>) {
        let sequences = self.sequences.len();
        let chunks = tokens.axis_chunks_iter(Axis(0), sequences).zip(all.axis_chunks_iter_mut(Axis(0), sequences));
        for (tokens, mut all) in chunks {
            let sequences = &mut self.sequences[..tokens.nrows()];
            forward(simd, tables, sequences, tokens);
            for (sequence, mut all) in sequences.iter().zip(all.outer_iter_mut()) {
                let logits = sequence.unembedded.logits.chunks_exact(padded(tables.shape.classes));
                for (mut row, logits) in all.outer_iter_mut().zip(logits) {
                    row.iter_mut().zip(logits).for_each(|(to, from)| *to = *from);
                }
            }
        }
    }

    #[inline(always)]
    fn outcomes<S: Simd>(
        &mut self,
        simd: S,
        tables: &Tables,
        tokens: ArrayView2<Token>,
        classes: ArrayView2<Token>,
        outcomes: &mut [Outcome],
    ) {
        let (sequences, predictions) = (self.sequences.len(), classes.ncols());
        let chunks = with_classes(tokens, classes, sequences);
        for ((tokens, classes), outcomes) in chunks.zip(outcomes.chunks_mut(sequences * predictions)) {
            let sequences = &mut self.sequences[..tokens.nrows()];
            forward(simd, tables, sequences, tokens);
            let predictions_by_sequence = classes.outer_iter().zip(outcomes.chunks_mut(predictions));
            for (sequence, (classes, outcomes)) in sequences.iter_mut().zip(predictions_by_sequence) {
                sequence.predict(simd, classes);
                for (prediction, outcome) in sequence.unembedded.predictions.iter().zip(outcomes) {
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

    fn run_from(
        &self,
        model: &Model,
        tokens: ArrayView2<Token>,
        before: &Cache<f32>,
        hooks: &mut Hooks<'_, f32>,
        record: Filter,
    ) -> Result<(Array3<f32>, Cache<f32>)> {
        f32::run_from(model, tokens, before, hooks, record)
    }
}
