//! A batch without hooks: a fixed number of groups of lists in parallel, each chunk by chunk in memory of its own.

use super::{
    Pass,
    probe::{Blind, Sizes},
    workspace::Workspace,
};
use crate::{
    Scalar,
    engine::{
        Batch, Score,
        groups::{GROUPS, lists_per_chunk, lists_per_group},
        loss::cross_entropy_gradient,
    },
    model::{Config, Model, Params},
    parallel,
    task::Token,
};
use ndarray::{Array3, ArrayView2, ArrayViewMut3, Axis};
use std::collections::HashMap;

/// The memory of all groups, for models of one config.
pub(super) struct Groups<T> {
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
        let lists = lists_per_group(tokens.nrows(), GROUPS);
        let shares = tokens.axis_chunks_iter(Axis(0), lists).zip(logits.axis_chunks_iter_mut(Axis(0), lists));
        let pieces = self.groups.iter_mut().zip(shares).collect();
        parallel::for_each(pieces, |(group, (tokens, logits))| group.logits(model, tokens, positions, logits));
    }

    pub fn loss_and_gradients(&mut self, model: &Model<T>, batch: Batch, gradients: &mut Params<T>) -> Score {
        let weight = T::of(1.0 / batch.targets.len().max(1) as f64);
        let pieces: Vec<_> = self.groups.iter_mut().zip(batch.shares(GROUPS)).collect();
        let used = pieces.len();
        parallel::for_each(pieces, |(group, share)| group.loss_and_gradients(model, share, weight));
        let mut score = Score::default();
        gradients.values_mut().fill(T::zero());
        for group in &self.groups[..used] {
            score.add(group.score);
            if let Some(of_group) = &group.gradients {
                gradients.values_mut().iter_mut().zip(of_group.values()).for_each(|(sum, g)| *sum += *g);
            }
        }
        score
    }
}

impl<T: Scalar> Group<T> {
    fn logits(
        &mut self,
        model: &Model<T>,
        tokens: ArrayView2<Token>,
        positions: &[usize],
        mut logits: ArrayViewMut3<T>,
    ) {
        let lists = lists_per_chunk(model.config(), tokens.ncols());
        let chunks = tokens.axis_chunks_iter(Axis(0), lists).zip(logits.axis_chunks_iter_mut(Axis(0), lists));
        for (tokens, mut logits) in chunks {
            let pass = Pass::new(model, tokens, positions.len());
            let workspace = workspace(&mut self.workspaces, pass);
            forward(workspace, pass, tokens, positions);
            logits.iter_mut().zip(&workspace.logits).for_each(|(to, from)| *to = *from);
        }
    }

    fn loss_and_gradients(&mut self, model: &Model<T>, batch: Batch, weight: T) {
        let gradients = self.gradients.get_or_insert_with(|| Params::like(model.params.layout().clone()));
        gradients.values_mut().fill(T::zero());
        self.score = Score::default();
        let lists = lists_per_chunk(model.config(), batch.tokens.ncols());
        for from in (0..batch.tokens.nrows()).step_by(lists) {
            let Batch { tokens, targets, positions } = batch.slice(from, (from + lists).min(batch.tokens.nrows()));
            let pass = Pass::new(model, tokens, positions.len());
            let workspace = workspace(&mut self.workspaces, pass);
            forward(workspace, pass, tokens, positions);
            self.score.add(cross_entropy_gradient(workspace.logits.view_mut(), targets, weight));
            workspace.backward(pass, tokens, positions, gradients, &mut Blind);
        }
    }
}

/// The memory for chunks of this size; that for sequences of other lengths is given back.
fn workspace<'w, T: Scalar>(kept: &'w mut HashMap<Sizes, Workspace<T>>, pass: Pass<T>) -> &'w mut Workspace<T> {
    let same = |sizes: &Sizes| (sizes.seq, sizes.predicted) == (pass.sizes.seq, pass.sizes.predicted);
    kept.retain(|sizes, _| same(sizes));
    kept.entry(pass.sizes).or_insert_with(|| Workspace::new(pass.config, pass.sizes))
}

fn forward<T: Scalar>(workspace: &mut Workspace<T>, pass: Pass<T>, tokens: ArrayView2<Token>, positions: &[usize]) {
    workspace.forward(pass, tokens, positions, &mut Blind).expect("nothing but a hook can fail, and there is none");
}
