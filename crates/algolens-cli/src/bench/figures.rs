//! How fast one backend is, by the clock.

use super::workload::{CACHED, MANY, Workload};
use algolens::{
    Result,
    engine::{
        Backend, Engine, MultiplyAdds, Vectors,
        hooks::{BlockPoint, Filter, HookPoint},
    },
    model::Params,
    train::Adam,
};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// A backend's times and the memory that it takes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// The median time of a training step, in milliseconds.
    pub train_ms: f64,
    /// The least time of a training step, in milliseconds.
    pub train_ms_min: f64,
    /// The lists of a batch that a second takes from tokens to judged predictions, with the same weights from call to call.
    pub forward_lists_per_s: f64,
    /// The same of the quickest batch.
    pub forward_lists_per_s_max: f64,
    /// The lists a second where [`MANY`] go at once.
    pub forward_lists_per_s_20480: f64,
    /// The most memory that the process had before it recorded anything, in 10⁶ bytes; where the system tells.
    pub peak_memory_mb: Option<f64>,
    /// The multiply-adds of a training step's products.
    pub train_multiply_adds: u64,
    /// The multiply-adds of a batch's forward pass.
    pub forward_multiply_adds: u64,
    /// Of the backend that records, runs that do; none of a model whose activations would take too much memory.
    #[serde(flatten)]
    pub cache: Option<CacheFigures>,
}

/// Runs of [`CACHED`] lists in which is recorded what TransformerLens records where no flag asks for more.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct CacheFigures {
    /// The median time, in milliseconds.
    pub cache_ms: f64,
    /// The least time, in milliseconds.
    pub cache_ms_min: f64,
    /// What is recorded, in 10⁶ bytes.
    pub cache_mb: f64,
}

impl CacheFigures {
    fn measure(engine: &dyn Engine, work: &Workload, seconds: f64) -> Result<Option<Self>> {
        /// 2 GiB.
        const MOST_NUMBERS: u128 = 1 << 29;
        let config = work.model.config();
        if config.activations(config.n_ctx) * CACHED as u128 > MOST_NUMBERS {
            return Ok(None);
        }
        let points = HookPoint::all(config).into_iter().filter(|point| !needs_a_flag(*point));
        let names: Vec<String> = points.map(|point| point.to_string()).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut numbers = 0;
        let times = times(seconds, |_| {
            let (_, cache) = engine.run_with_cache(&work.model, work.cached(), Filter::Names(&names))?;
            numbers = cache.iter().map(|(_, activation)| activation.len()).sum();
            Ok(())
        })?;
        Ok(Some(Self {
            cache_ms: 1e3 * median(&times),
            cache_ms_min: 1e3 * times[0],
            cache_mb: (numbers * size_of::<f32>()) as f64 / 1e6,
        }))
    }
}

/// Whether TransformerLens records a point only where a flag of the config asks for it.
fn needs_a_flag(point: HookPoint) -> bool {
    use BlockPoint::{AttnIn, KInput, MlpIn, QInput, Result, VInput};
    matches!(point, HookPoint::Block(_, AttnIn | QInput | KInput | VInput | Result | MlpIn))
}

impl Figures {
    /// Runs a backend for so many seconds a figure.
    ///
    /// # Errors
    /// What its engine refuses.
    pub fn measure(backend: Backend, vectors: Vectors, work: &Workload, seconds: f64) -> Result<Self> {
        let engine = backend.engine(vectors);
        let MultiplyAdds { forward: forward_multiply_adds, step: train_multiply_adds } =
            backend.multiply_adds(work.model.config(), work.batch(0));
        let mut model = work.model.clone();
        let mut adam = Adam::new(&work.recipe, model.params.values().len());
        let mut gradients = Params::like(model.params.layout().clone());
        let rate = work.recipe.learning_rate(0);
        let steps = times(seconds, |step| {
            engine.loss_and_gradients(&model, work.batch(step), &mut gradients)?;
            adam.step(rate, model.params.values_mut(), gradients.values());
            Ok(())
        })?;
        let forward = times(seconds, |call| engine.outcomes(&model, work.batch(call)).map(drop))?;
        let many = times(seconds, |_| engine.outcomes(&model, work.many()).map(drop))?;
        let peak_memory_mb = peak_memory_mb();
        let cache = match backend {
            Backend::Plain => CacheFigures::measure(&*engine, work, seconds)?,
            _ => None,
        };
        Ok(Self {
            train_ms: 1e3 * median(&steps),
            train_ms_min: 1e3 * steps[0],
            forward_lists_per_s: work.batch(0).tokens.nrows() as f64 / median(&forward),
            forward_lists_per_s_max: work.batch(0).tokens.nrows() as f64 / forward[0],
            forward_lists_per_s_20480: MANY as f64 / median(&many),
            peak_memory_mb,
            train_multiply_adds,
            forward_multiply_adds,
            cache,
        })
    }

    /// The multiply-adds a second of the quickest training step.
    pub fn train_multiply_adds_per_s(&self) -> f64 {
        1e3 * self.train_multiply_adds as f64 / self.train_ms_min
    }

    /// The multiply-adds a second of the quickest forward pass over a batch of so many lists.
    pub fn forward_multiply_adds_per_s(&self, batch: usize) -> f64 {
        self.forward_multiply_adds as f64 * self.forward_lists_per_s_max / batch as f64
    }
}

/// The seconds that calls took, least first, when they were repeated for so many seconds, after some that warm up.
fn times(seconds: f64, mut call: impl FnMut(usize) -> Result<()>) -> Result<Vec<f64>> {
    /// The share of the time that warms up.
    const WARM_UP: f64 = 0.25;
    const FEWEST: usize = 3;
    let mut calls = 0;
    let mut timed = || -> Result<f64> {
        let begun = Instant::now();
        call(calls)?;
        calls += 1;
        Ok(begun.elapsed().as_secs_f64())
    };
    let mut warm = timed()?;
    while warm < WARM_UP * seconds {
        warm += timed()?;
    }
    let (mut times, mut sum) = (Vec::new(), 0.0);
    while sum < seconds || times.len() < FEWEST {
        let time = timed()?;
        sum += time;
        times.push(time);
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(times)
}

/// The median of sorted numbers.
fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    if sorted.len().is_multiple_of(2) { (sorted[half - 1] + sorted[half]) / 2.0 } else { sorted[half] }
}

/// The most resident memory that this process had so far.
#[cfg(target_os = "linux")]
fn peak_memory_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

/// The most resident memory that this process had so far; not known on this system.
#[cfg(not(target_os = "linux"))]
fn peak_memory_mb() -> Option<f64> {
    None
}
