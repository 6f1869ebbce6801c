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
    Batch, Engine, Outcome, Score, check_batch, check_gradients, check_tokens,
    parallel::{self, GROUPS, lists_per_group},
    vector::{Numbers, Vectors},
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
use std::sync::{Mutex, PoisonError};
use tables::Tables;
use weights::Circuits;

/// The engine of one-layer attention-only models. Keeps its working memory between calls.
#[derive(Default)]
pub struct Circuit {
    vectors: Vectors,
    idle: Mutex<Vec<Memory>>,
}

impl Circuit {
    /// An engine that uses these instructions.
    pub fn new(vectors: Vectors) -> Self {
        Self { vectors, idle: Mutex::default() }
    }

    /// Whether models of this config have a circuit form.
    ///
    /// # Errors
    /// Names what it does not cover: several blocks, MLPs, shortformer positions, tables that would be too large.
    pub fn check(config: &Config) -> Result<()> {
        Shape::check(config)
    }

    /// Runs `work` with the memory of an earlier call for the same model and sequences, or with new memory; its circuits
    /// are those of `model`. Memory for other models is given back, and so is what `work` does not want to keep.
    fn with_memory<R>(
        &self,
        model: &Model,
        seq: usize,
        positions: &[usize],
        work: impl FnOnce(&mut Memory) -> (R, bool),
    ) -> R {
        let purpose = Purpose { config: model.config().clone(), seq, positions: positions.to_vec() };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|memory| memory.purpose == purpose);
        let kept = idle.pop();
        drop(idle);
        let mut memory = kept.unwrap_or_else(|| Memory::new(purpose));
        memory.fill(model);
        let (result, keep) = work(&mut memory);
        if keep {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
        result
    }
}

/// Groups that gradients are summed in. Each has tables of its own, which cost as much to clear and to add up as some
/// lists cost to learn from.
const LEARNING_GROUPS: usize = GROUPS / 2;

/// What memory is for.
#[derive(PartialEq)]
struct Purpose {
    config: Config,
    seq: usize,
    positions: Vec<usize>,
}

struct Memory {
    purpose: Purpose,
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

impl Memory {
    fn new(purpose: Purpose) -> Self {
        let circuits = Circuits::new(Shape::new(&purpose.config, purpose.seq, &purpose.positions));
        let list = || List::new(&circuits.tables, &purpose.positions);
        let groups = (0..GROUPS).map(|_| Group { list: list(), backward: None, score: Score::default() }).collect();
        Self { purpose, circuits, filled_with: None, groups, sum: None }
    }

    fn fill(&mut self, model: &Model) {
        if self.filled_with.as_ref() == Some(&model.params) {
            return;
        }
        self.circuits.fill(model);
        match &mut self.filled_with {
            Some(params) => params.values_mut().copy_from_slice(model.params.values()),
            None => self.filled_with = Some(model.params.clone()),
        }
    }

    fn loss_and_gradients(
        &mut self,
        vectors: Vectors,
        model: &Model,
        batch: Batch,
        gradients: &mut Params<f32>,
    ) -> Score {
        let weight = 1.0 / batch.targets.len() as f32;
        let pieces: Vec<_> = self.groups.iter_mut().zip(batch.shares(LEARNING_GROUPS)).collect();
        let used = pieces.len();
        let tables = &self.circuits.tables;
        parallel::for_each(pieces, |(group, share)| {
            dispatch!(vectors.0, simd => group.learn(simd, tables, share, weight));
        });
        let shape = tables.shape;
        let (sum, reduction) = self.sum.get_or_insert_with(|| (Tables::new(shape), Reduction::new(shape)));
        let groups = &self.groups[..used];
        add_up(sum, groups.iter().filter_map(|group| group.backward.as_ref()).map(|(_, tables)| tables).collect());
        reduction.weights(&self.circuits, model, sum, gradients);
        let mut score = Score::default();
        groups.iter().for_each(|group| score.add(group.score));
        score
    }
}

/// The sum of the groups' tables, in their order; parts of it in parallel.
fn add_up(sum: &mut Tables, groups: Vec<&Tables>) {
    const PART: usize = 4096;
    let mut parts = Vec::new();
    for (array, sum) in sum.arrays_mut().enumerate() {
        let of_groups: Vec<&Numbers> = groups.iter().filter_map(|group| group.arrays().nth(array)).collect();
        parts.extend(sum.chunks_mut(PART).enumerate().map(|(part, sum)| (part * PART, sum, of_groups.clone())));
    }
    parallel::for_each(parts, |(from, sum, of_groups)| {
        sum.fill(0.0);
        for numbers in of_groups {
            sum.iter_mut().zip(&numbers[from..]).for_each(|(sum, number)| *sum += number);
        }
    });
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
        for (query, mut row) in logits.outer_iter_mut().enumerate() {
            list.unembed(simd, tables, query);
            row.iter_mut().zip(list.logits.iter()).for_each(|(to, from)| *to = *from);
        }
    }
}

#[simd]
fn outcomes<S: Simd>(simd: S, list: &mut List, tables: &Tables, batch: Batch, outcomes: &mut [Outcome]) {
    let lists = batch.tokens.outer_iter().zip(batch.targets.outer_iter());
    for ((tokens, targets), outcomes) in lists.zip(outcomes.chunks_mut(batch.positions.len())) {
        list.forward(simd, tables, tokens);
        for (query, (target, outcome)) in targets.iter().zip(outcomes).enumerate() {
            list.unembed(simd, tables, query);
            *outcome = backward::softmax(simd, &mut list.logits, *target as usize).outcome;
        }
    }
}

impl Engine for Circuit {
    fn name(&self) -> &'static str {
        "circuit"
    }

    fn logits(&self, model: &Model, tokens: ArrayView2<Token>, positions: &[usize]) -> Result<Array3<f32>> {
        Self::check(model.config())?;
        check_tokens(model, tokens, positions)?;
        let mut all = Array3::zeros((tokens.nrows(), positions.len(), model.config().d_vocab_out));
        if all.is_empty() {
            return Ok(all);
        }
        self.with_memory(model, tokens.ncols(), positions, |memory| {
            let lists = lists_per_group(tokens.nrows(), GROUPS);
            let shares = tokens.axis_chunks_iter(Axis(0), lists).zip(all.axis_chunks_iter_mut(Axis(0), lists));
            let tables = &memory.circuits.tables;
            parallel::for_each(memory.groups.iter_mut().zip(shares).collect(), |(group, (tokens, share))| {
                dispatch!(self.vectors.0, simd => logits(simd, &mut group.list, tables, tokens, share));
            });
            ((), true)
        });
        Ok(all)
    }

    fn outcomes(&self, model: &Model, batch: Batch) -> Result<Vec<Outcome>> {
        Self::check(model.config())?;
        check_batch(model, batch)?;
        let mut all = vec![Outcome::default(); batch.targets.len()];
        if all.is_empty() {
            return Ok(all);
        }
        self.with_memory(model, batch.tokens.ncols(), batch.positions, |memory| {
            let predictions = lists_per_group(batch.tokens.nrows(), GROUPS) * batch.positions.len();
            let shares = batch.shares(GROUPS).zip(all.chunks_mut(predictions));
            let tables = &memory.circuits.tables;
            parallel::for_each(memory.groups.iter_mut().zip(shares).collect(), |(group, (batch, share))| {
                dispatch!(self.vectors.0, simd => outcomes(simd, &mut group.list, tables, batch, share));
            });
            ((), true)
        });
        Ok(all)
    }

    fn loss_and_gradients(&self, model: &Model, batch: Batch, gradients: &mut Params<f32>) -> Result<Score> {
        Self::check(model.config())?;
        check_batch(model, batch)?;
        check_gradients(model, gradients)?;
        if batch.targets.is_empty() {
            gradients.values_mut().fill(0.0);
            return Ok(Score::default());
        }
        Ok(self.with_memory(model, batch.tokens.ncols(), batch.positions, |memory| {
            let score = memory.loss_and_gradients(self.vectors, model, batch, gradients);
            // Numbers that are none would stay in what the next pass takes for zeros.
            (score, score.loss_sum.is_finite())
        }))
    }
}
