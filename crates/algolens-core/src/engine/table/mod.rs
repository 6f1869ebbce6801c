//! The table backend: models of the whole family, of any depth.
//!
//! Before attention the residual stream depends on position and token alone, so the first block's norm, queries, keys and
//! values are computed once for each such pair of a batch (`rows.rs`), or for each token where positions are nowhere, and
//! looked up. The last block computes queries, attention outputs, MLPs and logits at the predicted positions only, and a model
//! without attention computes nothing else. Sequences pass in chunks that stay in a core's cache
//! (`chunk.rs`, `backward.rs`): large products are `gemm`'s, those of one sequence and head stay in registers. Soft caps,
//! windows, padding and masked keys that have a share in a pattern are a step of their own between scores and softmax
//! (`bend.rs`); other models do not take it.
//!
//! Where logits are asked for, neighbouring sequences of a causal model share what they compute for a common prefix: see
//! `places.rs`.
//!
//! What falls to the plain backend: f64, hooks, and models of so narrow rows that padding them to whole vectors would take
//! too much memory.

mod activation;
mod attention;
mod backward;
mod bend;
mod chunk;
mod gradients;
mod inputs;
mod matrix;
mod mlp;
mod norm;
mod pass;
mod places;
mod rows;
mod stream;
mod weights;

use super::{
    Batch, Engine, Outcome, Score,
    groups::{GROUPS, LEARNING_GROUPS, sequences_per_chunk, sequences_per_group, sum_all, with_classes},
    hooks::{Cache, Filter, Hooks},
    level::Vectors,
    memory::{BufferKey, Memory, Pool},
    plain::precision::Precision,
    softmax::predict,
    vector::padded,
};
use crate::dispatch;
use crate::{
    Error, Result,
    model::{Config, Mlp, Model, Params},
    parallel,
    task::Token,
};
use backward::{Backward, Sums};
use chunk::Chunk;
use fearless_simd::Simd;
use gradients::Gradients;
use ndarray::{Array3, ArrayView2, ArrayViewMut3, Axis, s};
use pass::{Pass, Plan};
use places::shared_prefixes;
use rows::{RowGradients, RowTable};
use weights::Packed;

/// The engine of models of any depth. Keeps its working memory between calls.
#[derive(Default)]
pub struct Table {
    vectors: Vectors,
    pool: Pool<Workspace>,
}

/// The sizes that padded rows have.
fn padded_config(config: &Config) -> Config {
    Config {
        d_model: padded(config.d_model),
        d_head: padded(config.d_head),
        mlp: config.mlp.map(|mlp| Mlp { d_mlp: padded(mlp.d_mlp), ..mlp }),
        d_vocab_out: padded(config.d_vocab_out),
        ..config.clone()
    }
}

struct Workspace {
    plan: Plan,
    packed: Packed,
    table: RowTable,
    chunks: Vec<Chunk>,
    /// None before the first backward pass.
    learning: Option<Learning>,
}

/// The memory of groups that learn.
struct Learning {
    groups: Vec<Learner>,
    rows: Vec<RowGradients>,
}

struct Learner {
    backward: Backward,
    gradients: Gradients,
    /// For one part of the row table.
    part: RowGradients,
    score: Score,
}

impl Memory for Workspace {
    fn new(model: &Model, key: &BufferKey) -> Self {
        let config = model.config();
        let plan = Plan::new(config, key.seq, &key.positions);
        let packed = Packed::zeros(model);
        let pass = Pass { model, packed: &packed, plan: &plan };
        let sequences_per_chunk = sequences_per_chunk(&padded_config(config), key.seq);
        let chunks = (0..GROUPS).map(|_| Chunk::new(pass, sequences_per_chunk)).collect();
        let table = RowTable::new(config, plan.keys());
        Self { packed, table, chunks, learning: None, plan }
    }

    fn logits(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>, logits: &mut Array3<f32>) {
        let table = self.prepare(vectors, model, tokens);
        let pass = Pass { model, packed: &self.packed, plan: &self.plan };
        let table = table.then_some(&self.table);
        let sequences = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), sequences).zip(logits.axis_chunks_iter_mut(Axis(0), sequences));
        let pieces = self.chunks.iter_mut().zip(shares).collect();
        parallel::for_each(pieces, |(chunk, (tokens, logits)): (&mut Chunk, (_, _))| {
            dispatch!(vectors, simd => chunk_logits(simd, pass, chunk, table, tokens, logits));
        });
    }

    fn outcomes(
        &mut self,
        vectors: Vectors,
        model: &Model,
        tokens: ArrayView2<Token>,
        classes: ArrayView2<Token>,
        outcomes: &mut [Outcome],
    ) {
        let table = self.prepare(vectors, model, tokens);
        let pass = Pass { model, packed: &self.packed, plan: &self.plan };
        let table = table.then_some(&self.table);
        let sequences = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = with_classes(tokens, classes, sequences).zip(outcomes.chunks_mut(sequences * classes.ncols()));
        let pieces = self.chunks.iter_mut().zip(shares).collect();
        parallel::for_each(pieces, |(chunk, ((tokens, classes), outcomes)): (&mut Chunk, ((_, _), _))| {
            dispatch!(vectors, simd => chunk_outcomes(simd, pass, chunk, table, tokens, classes, outcomes));
        });
    }

    fn loss_and_gradients(
        &mut self,
        vectors: Vectors,
        model: &Model,
        batch: Batch,
        gradients: &mut Params<f32>,
    ) -> Score {
        let with_table = self.prepare(vectors, model, batch.tokens);
        let pass = Pass { model, packed: &self.packed, plan: &self.plan };
        let table = with_table.then_some(&self.table);
        let learning = self.learning.get_or_insert_with(|| Learning::new(pass, &self.chunks[0]));
        if with_table {
            learning.make_room(model, &self.table);
        }
        let scale = 1.0 / batch.targets.total_weight() as f32;
        let memory = self.chunks.iter_mut().zip(&mut learning.groups).zip(&mut learning.rows);
        let pieces: Vec<_> = memory.zip(batch.shares(LEARNING_GROUPS)).collect();
        let used = pieces.len();
        parallel::for_each(pieces, |(((chunk, learner), rows), share)| {
            dispatch!(vectors, simd => learner.learn(simd, pass, chunk, table.zip(Some(rows)), share, scale));
        });
        // The table's rows, part by part; each group works on parts of its own, and adds to gradients of its own.
        let rows = &learning.rows[..used];
        let parts = table.map_or(0, RowTable::parts);
        parallel::for_each(learning.groups[..used].iter_mut().enumerate().collect(), |(group, learner)| {
            for part in (group..parts).step_by(used) {
                let Learner { gradients, part: scratch, .. } = learner;
                dispatch!(vectors, simd => self.table.backward(simd, pass, part, rows, scratch, gradients));
            }
            learner.gradients.unpack(model);
        });
        let groups = &learning.groups[..used];
        let parts = groups.iter().map(|group| group.gradients.params.values()).collect();
        sum_all(vectors, vec![(gradients.values_mut(), parts)]);
        groups.iter().fold(Score::default(), |mut score, group| {
            score.add(group.score);
            score
        })
    }
}

impl Workspace {
    /// Packs a model's weights and computes the row table of a batch, if it pays; whether it does.
    fn prepare(&mut self, vectors: Vectors, model: &Model, tokens: ArrayView2<Token>) -> bool {
        self.packed.fill(model);
        let pays = self.table.find(model.config(), tokens);
        if pays {
            self.table.fill(vectors, Pass { model, packed: &self.packed, plan: &self.plan });
        }
        pays
    }
}

impl Learning {
    fn new(pass: Pass, chunk: &Chunk) -> Self {
        let learner = || Learner {
            backward: Backward::new(pass, chunk),
            gradients: Gradients::new(pass.model),
            part: RowGradients::for_part(pass.model.config()),
            score: Score::default(),
        };
        let rows = || RowGradients::new(pass.model.config(), 0);
        Self {
            groups: (0..LEARNING_GROUPS).map(|_| learner()).collect(),
            rows: (0..LEARNING_GROUPS).map(|_| rows()).collect(),
        }
    }

    fn make_room(&mut self, model: &Model, table: &RowTable) {
        for rows in self.rows.iter_mut().filter(|rows| !rows.fits(table)) {
            *rows = RowGradients::for_table(model.config(), table);
        }
    }
}

impl Learner {
    #[inline(always)]
    fn learn<S: Simd>(
        &mut self,
        simd: S,
        pass: Pass,
        chunk: &mut Chunk,
        mut table: Option<(&RowTable, &mut RowGradients)>,
        batch: Batch,
        scale: f32,
    ) {
        self.gradients.clear();
        self.score = Score::default();
        if let Some((table, rows)) = &mut table {
            rows.clear_table(table);
        }
        let mut sums = Sums { scale, gradients: &mut self.gradients, table };
        for sequences in batch.chunks(chunk.sequences) {
            chunk.forward(simd, pass, sums.table.as_ref().map(|(table, _)| *table), sequences.tokens, None);
            self.score.add(self.backward.backward(simd, pass, chunk, sequences, &mut sums));
        }
    }
}

#[inline(always)]
fn chunk_logits<S: Simd>(
    simd: S,
    pass: Pass,
    chunk: &mut Chunk,
    table: Option<&RowTable>,
    tokens: ArrayView2<Token>,
    mut logits: ArrayViewMut3<f32>,
) {
    let shared = shared_prefixes(pass.plan, tokens);
    let mut done = 0;
    while done < tokens.nrows() {
        let shared = shared.as_ref().map(|shared| &shared[done..]);
        let room = shared.map_or(chunk.sequences, |shared| chunk.room(pass.plan, shared));
        let count = room.min(tokens.nrows() - done);
        chunk.forward(
            simd,
            pass,
            table,
            tokens.slice(s![done..done + count, ..]),
            shared.map(|shared| &shared[..count]),
        );
        let mut rows = chunk.logits.rows();
        for (sequence, at) in chunk.places.sequences().iter().zip(done..) {
            let (before, mut all) = logits.view_mut().split_at(Axis(0), at);
            let mut all = all.index_axis_mut(Axis(0), 0);
            for position in 0..sequence.shared_predictions {
                all.row_mut(position).assign(&before.slice(s![at - 1, position, ..]));
            }
            for (mut to, from) in all.outer_iter_mut().skip(sequence.shared_predictions).zip(&mut rows) {
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
        }
        done += count;
    }
}

#[inline(always)]
fn chunk_outcomes<S: Simd>(
    simd: S,
    pass: Pass,
    chunk: &mut Chunk,
    table: Option<&RowTable>,
    tokens: ArrayView2<Token>,
    classes: ArrayView2<Token>,
    outcomes: &mut [Outcome],
) {
    let mut outcomes = outcomes.iter_mut();
    for (tokens, classes) in with_classes(tokens, classes, chunk.sequences) {
        chunk.forward(simd, pass, table, tokens, None);
        for ((row, class), outcome) in chunk.logits.rows_mut().zip(classes).zip(&mut outcomes) {
            *outcome = predict(simd, row, *class as usize).outcome();
        }
    }
}

impl Table {
    /// An engine that uses these instructions.
    pub fn new(vectors: Vectors) -> Self {
        Self { vectors, pool: Pool::default() }
    }

    /// Whether models of this config fit the rows that the backend pads to whole vectors.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for a model that would need far more memory than its own numbers, as one of many very narrow heads.
    pub fn check(config: &Config) -> Result<()> {
        let padded = padded_config(config);
        let numbers = padded.activations(padded.n_ctx).max(padded.parameters_at_most() / 4);
        if numbers.max(rows::part_numbers(&padded)) <= Config::MOST_ACTIVATIONS as u128 {
            return Ok(());
        }
        let most = format!("at most {} numbers in padded rows", Config::MOST_ACTIVATIONS);
        Err(Error::TooLarge { what: "model for the table backend", most, found: numbers })
    }
}

/// How many rows of the first block are computed for a batch of which so many positions matter, where a table of them pays.
pub(super) fn rows_of_table(config: &Config, tokens: ArrayView2<Token>, keys: usize) -> Option<usize> {
    let mut table = RowTable::new(config, keys);
    table.find(config, tokens).then(|| table.len())
}

/// How many positions each sequence of a batch shares with the one before it, where logits are computed so.
pub(super) fn shared_positions(config: &Config, tokens: ArrayView2<Token>, predicted: &[usize]) -> Option<Vec<usize>> {
    let plan = Plan::new(config, tokens.ncols(), predicted);
    let groups = tokens.axis_chunks_iter(Axis(0), sequences_per_group(tokens.nrows(), GROUPS));
    let shared = groups.map(|group| shared_prefixes(&plan, group).unwrap_or_else(|| vec![0; group.nrows()]));
    plan.shares_prefixes().then(|| shared.flatten().collect())
}

impl Engine for Table {
    fn name(&self) -> &'static str {
        "table"
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
