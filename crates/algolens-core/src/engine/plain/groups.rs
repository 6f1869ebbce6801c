//! A batch without hooks: a fixed number of groups of sequences in parallel, each chunk by chunk in memory of its own.

use super::{
    activations::Activations,
    backward::{Scratch, backward},
    forward::forward,
    pass::{Pass, Sizes},
    tracer::NoTrace,
};
use crate::{
    Scalar,
    engine::{
        Batch, Score,
        groups::{GROUPS, sequences_per_chunk, sequences_per_group},
        loss::loss_gradient,
    },
    model::{Config, Model, Params},
    parallel,
    task::Token,
};
use ndarray::{Array3, ArrayView2, ArrayViewMut3, Axis};
use std::collections::HashMap;

/// The memory of all groups, for models of one config.
pub struct Groups<T> {
    config: Config,
    groups: Vec<Group<T>>,
}

struct Group<T> {
    workspaces: HashMap<Sizes, Workspace<T>>,
    /// None before the first backward pass.
    gradients: Option<Params<T>>,
    score: Score,
}

impl<T: Scalar> Groups<T> {
    pub fn new(config: &Config) -> Self {
        let group = || Group { workspaces: HashMap::new(), gradients: None, score: Score::default() };
        Self { config: config.clone(), groups: (0..GROUPS).map(|_| group()).collect() }
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn logits(&mut self, model: &Model<T>, tokens: ArrayView2<Token>, positions: &[usize], logits: &mut Array3<T>) {
        let share = sequences_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), share).zip(logits.axis_chunks_iter_mut(Axis(0), share));
        let pieces = self.groups.iter_mut().zip(shares).collect();
        parallel::for_each(pieces, |(group, (tokens, logits))| group.logits(model, tokens, positions, logits));
    }

    pub fn loss_and_gradients(&mut self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Score {
        let weight = batch.targets.total_weight();
        let scale = if weight == 0.0 { T::zero() } else { T::of(1.0 / weight) };
        let pieces: Vec<_> = self.groups.iter_mut().zip(batch.shares(GROUPS)).collect();
        let used = pieces.len();
        parallel::for_each(pieces, |(group, share)| group.loss_and_gradients(model, share, scale));
        let mut score = Score::default();
        gradients.values_mut().fill(T::zero());
        for group in &self.groups[..used] {
            score.add(group.score);
            if let Some(group_gradients) = &group.gradients {
                gradients.values_mut().iter_mut().zip(group_gradients.values()).for_each(|(sum, g)| *sum += *g);
            }
        }
        score
    }
}

/// The memory of a pass over a chunk of sequences.
struct Workspace<T> {
    acts: Activations<T>,
    /// None before the first backward pass.
    scratch: Option<Scratch<T>>,
}

impl<T: Scalar> Group<T> {
    fn logits(
        &mut self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        mut logits: ArrayViewMut3<T>,
    ) {
        let chunk = sequences_per_chunk(model.config(), tokens.ncols());
        let chunks = tokens.axis_chunks_iter(Axis(0), chunk).zip(logits.axis_chunks_iter_mut(Axis(0), chunk));
        for (tokens, mut logits) in chunks {
            let Workspace { acts, .. } = self.forward(Pass::new(model, tokens, positions));
            logits.iter_mut().zip(&acts.logits).for_each(|(to, from)| *to = *from);
        }
    }

    fn loss_and_gradients(&mut self, model: &Model<T>, batch: Batch, scale: T) {
        let mut gradients = self.gradients.take().unwrap_or_else(|| Params::like(model.params.layout().clone()));
        gradients.values_mut().fill(T::zero());
        let mut score = Score::default();
        for chunk in batch.chunks(sequences_per_chunk(model.config(), batch.tokens.ncols())) {
            let pass = Pass::new(model, chunk.tokens, chunk.positions);
            let Workspace { acts, scratch } = self.forward(pass);
            score.add(loss_gradient(acts.logits.view_mut(), chunk.targets, scale));
            let scratch = scratch.get_or_insert_with(|| Scratch::new(pass.config, pass.sizes));
            backward(pass, acts, scratch, &mut gradients, &mut NoTrace);
        }
        self.gradients = Some(gradients);
        self.score = score;
    }

    /// A forward pass in the memory for chunks of this size; that for sequences of other lengths is given back.
    fn forward(&mut self, pass: Pass<T>) -> &mut Workspace<T> {
        let same = |sizes: &Sizes| (sizes.seq, sizes.predicted) == (pass.sizes.seq, pass.sizes.predicted);
        self.workspaces.retain(|sizes, _| same(sizes));
        let fresh = || Workspace { acts: Activations::new(pass.config, pass.sizes), scratch: None };
        let workspace = self.workspaces.entry(pass.sizes).or_insert_with(fresh);
        forward(pass, &mut workspace.acts, &mut NoTrace).expect("nothing but a hook can fail, and there is none");
        workspace
    }
}
