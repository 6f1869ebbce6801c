//! The slack that a model's logits need.

use algolens_core::{
    Result,
    engine::{Engine, Plain, sequences_at_a_time},
    model::Model,
    random,
    task::{Dataset, Task},
};

/// The least slack that is more than f32 loses of a model's logits: a power of ten of at least 1e-4, and of twice the largest
/// difference of a margin between an engine in f32 and the plain one in f64, over random lists; at most 1, which may then be too little.
///
/// # Errors
/// A model that does not fit the task, or that the engine does not run.
pub fn slack(model: &Model, task: &dyn Task, engine: &dyn Engine) -> Result<f64> {
    const LISTS: usize = 2048;
    const LEAST: f64 = 1e-4;
    let exact = model.cast::<f64>();
    let data = Dataset::generate(task, LISTS, &mut random::stream(0, "certify/slack"))?;
    let mut largest = 0.0_f64;
    for chunk in data.chunks(sequences_at_a_time(data.positions().len(), model.config().d_vocab_out)) {
        let found = engine.logits(model, chunk.tokens(), chunk.positions())?;
        let real = Plain::<f64>::new().logits(&exact, chunk.tokens(), chunk.positions())?;
        let targets = chunk.classes()?;
        for ((found, real), target) in found.rows().into_iter().zip(real.rows()).zip(targets) {
            let off: Vec<f64> = found.iter().zip(real).map(|(found, real)| f64::from(*found) - real).collect();
            let of_target = off[*target as usize];
            largest = off.iter().map(|off| (of_target - off).abs()).fold(largest, f64::max);
        }
    }
    let mut slack = LEAST;
    while slack < 2.0 * largest && slack < 1.0 {
        slack *= 10.0;
    }
    Ok(slack)
}
