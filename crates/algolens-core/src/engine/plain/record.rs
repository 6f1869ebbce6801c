//! The whole batch without hooks: chunk by chunk, each near its core, its activations copied to where they belong in the
//! cache's arrays. No more memory is taken than what is recorded and a chunk for each thread.

use super::{activations::Activations, forward::forward, pass::Pass, tracer::Tracer};
use crate::{
    Result, Scalar,
    engine::{
        groups::sequences_per_chunk,
        hooks::{Cache, HookPoint},
    },
    model::Model,
    parallel::{self, PerThread},
    task::Token,
};
use ndarray::{Array3, ArrayD, ArrayView2, ArrayViewD, ArrayViewMut3, ArrayViewMutD, Axis};

/// The logits at every position, and the activations at these points.
pub fn record<T: Scalar>(model: &Model<T>, tokens: ArrayView2<Token>, points: &[HookPoint]) -> (Array3<T>, Cache<T>) {
    let (config, (batch, seq)) = (model.config(), tokens.dim());
    let shape = |point: &HookPoint| [vec![batch], point.shape(config, seq)].concat();
    let mut recorded: Vec<ArrayD<T>> = points.iter().map(|point| ArrayD::zeros(shape(point))).collect();
    let mut logits = Array3::zeros((batch, seq, config.d_vocab_out));
    let positions: Vec<usize> = (0..seq).collect();
    let memory = PerThread::new(|| None);
    let sequences = sequences_per_chunk(config, seq);
    let mut places: Vec<_> = points
        .iter()
        .zip(&mut recorded)
        .map(|(point, all)| (*point, all.axis_chunks_iter_mut(Axis(0), sequences)))
        .collect();
    let chunks = tokens.axis_chunks_iter(Axis(0), sequences).zip(logits.axis_chunks_iter_mut(Axis(0), sequences));
    let chunks = chunks.map(|(tokens, logits)| {
        let next = |(point, chunks): &mut (HookPoint, _)| Iterator::next(chunks).map(|place| (*point, place));
        (tokens, logits, Recorder(places.iter_mut().filter_map(next).collect()))
    });
    parallel::for_each(chunks.collect(), |(tokens, mut logits, mut recorder): (_, ArrayViewMut3<T>, _)| {
        memory.with(|memory: &mut Option<Activations<T>>| {
            let pass = Pass::new(model, tokens, &positions);
            memory.take_if(|acts| acts.sizes != pass.sizes);
            let acts = memory.get_or_insert_with(|| Activations::new(pass.config, pass.sizes));
            forward(pass, acts, &mut recorder).expect("nothing but a hook can fail, and there is none");
            logits.iter_mut().zip(&acts.logits).for_each(|(to, from)| *to = *from);
        });
    });
    let mut cache = Cache::default();
    points.iter().zip(recorded).for_each(|(point, activation)| cache.insert(*point, activation));
    (logits, cache)
}

/// Copies activations of a chunk to their places.
struct Recorder<'c, T>(Vec<(HookPoint, ArrayViewMutD<'c, T>)>);

impl<T: Scalar> Tracer<T> for Recorder<'_, T> {
    fn edits(&self, _: impl Fn(HookPoint) -> bool) -> bool {
        false
    }

    fn reads(&self, at: impl Fn(HookPoint) -> bool) -> bool {
        self.0.iter().any(|(point, _)| at(*point))
    }

    fn activation(&mut self, point: HookPoint, activation: ArrayViewMutD<'_, T>) -> Result<()> {
        if let Some((_, place)) = self.0.iter_mut().find(|(at, _)| *at == point) {
            place.assign(&activation);
        }
        Ok(())
    }

    fn wants_gradient(&self, _: impl Fn(HookPoint) -> bool) -> bool {
        false
    }

    fn gradient(&mut self, _: HookPoint, _: ArrayViewD<'_, T>) {}
}
