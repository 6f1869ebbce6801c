//! The whole batch at once, with hooks and a cache.

use super::{
    activations::Activations,
    backward::{Scratch, backward},
    forward::{forward, forward_from},
    pass::{Pass, Sizes},
    record,
    tracer::RunHooks,
};
use crate::{
    Error, Result, Scalar,
    engine::{
        check::check_run,
        gradients::{Gradients, Seed},
        hooks::{Cache, Filter, HookPoint, Hooks},
    },
    model::{Model, Params},
    task::Token,
};
use ndarray::{Array3, ArrayView2};

/// As [`Engine::run`](crate::engine::Engine::run).
pub fn run<T: Scalar>(
    model: &Model<T>,
    tokens: ArrayView2<Token>,
    hooks: &mut Hooks<'_, T>,
    recorded: Filter,
) -> Result<(Array3<T>, Cache<T>)> {
    check_run(model, tokens, hooks)?;
    whole(model, tokens, hooks, recorded.points(model.config())?)
}

/// [`run`] of what was checked, recording these points.
fn whole<T: Scalar>(
    model: &Model<T>,
    tokens: ArrayView2<Token>,
    hooks: &mut Hooks<'_, T>,
    points: Vec<HookPoint>,
) -> Result<(Array3<T>, Cache<T>)> {
    if !hooks.any(|_| true) {
        return Ok(record::record(model, tokens, &points));
    }
    let mut tracer = RunHooks::recording(hooks, points, Vec::new());
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let pass = Pass::new(model, tokens, &positions);
    let mut acts = Activations::new(pass.config, pass.sizes);
    forward(pass, &mut acts, &mut tracer)?;
    Ok((logits(&acts), tracer.cache))
}

/// As [`Engine::run_from`](crate::engine::Engine::run_from).
pub fn run_from<T: Scalar>(
    model: &Model<T>,
    tokens: ArrayView2<Token>,
    before: &Cache<T>,
    hooks: &mut Hooks<'_, T>,
    recorded: Filter,
) -> Result<(Array3<T>, Cache<T>)> {
    check_run(model, tokens, hooks)?;
    let points = recorded.points(model.config())?;
    let resid = HookPoint::residual_before(hooks.points().chain(points.iter().copied()), model.config());
    let name = resid.map(|point| point.to_string());
    let (Some(HookPoint::Block(layer, point)), Some(resid)) = (resid, name.as_ref().and_then(|name| before.find(name)))
    else {
        return whole(model, tokens, hooks, points);
    };
    let mut tracer = RunHooks::recording(hooks, points, Vec::new());
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let pass = Pass::new(model, tokens, &positions);
    let shape = [pass.sizes.batch, pass.sizes.seq, pass.config.d_model];
    if resid.shape() != shape {
        let name = name.unwrap_or_default();
        return Err(Error::invalid(name, format!("shape {shape:?}"), format!("{:?}", resid.shape())));
    }
    let resid = resid.to_shape((pass.sizes.rows(), pass.config.d_model)).expect("the shape was compared");
    let mut acts = Activations::new(pass.config, pass.sizes);
    forward_from(pass, &mut acts, &mut tracer, (layer, point), resid.view())?;
    Ok((logits(&acts), tracer.cache))
}

/// As [`Engine::run_with_gradients`](crate::engine::Engine::run_with_gradients).
pub fn run_with_gradients<T: Scalar>(
    model: &Model<T>,
    tokens: ArrayView2<Token>,
    hooks: &mut Hooks<'_, T>,
    record: Filter,
    seed: Seed<'_, T>,
) -> Result<(Array3<T>, Gradients<T>)> {
    check_run(model, tokens, hooks)?;
    let mut tracer = RunHooks::recording(hooks, Vec::new(), record.points(model.config())?);
    let positions: Vec<usize> = (0..tokens.ncols()).collect();
    let pass = Pass::new(model, tokens, &positions);
    let mut acts = Activations::new(pass.config, pass.sizes);
    forward(pass, &mut acts, &mut tracer)?;
    let logits = logits(&acts);
    let seed = seed(logits.view())?;
    if seed.dim() != logits.dim() {
        let (expected, found) = (format!("{:?}", logits.shape()), format!("{:?}", seed.shape()));
        return Err(Error::invalid("seed of the gradients", expected, found));
    }
    acts.logits.iter_mut().zip(&seed).for_each(|(logit, d)| *logit = *d);
    let mut params = Params::like(model.params.layout().clone());
    let mut scratch = Scratch::new(pass.config, pass.sizes);
    backward(pass, &mut acts, &mut scratch, &mut params, &mut tracer);
    Ok((logits, Gradients { params, activations: tracer.gradients }))
}

/// The logits of a pass, `[batch, predicted, d_vocab_out]`.
fn logits<T: Scalar>(acts: &Activations<T>) -> Array3<T> {
    let Sizes { batch, predicted, .. } = acts.sizes;
    let shape = (batch, predicted, acts.logits.ncols());
    acts.logits.clone().into_shape_with_order(shape).expect("rows are (sequence, position) pairs")
}
