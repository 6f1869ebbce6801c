//! Looking at a run and changing it: hook points, hooks, and the cache.

mod cache;
mod point;

pub use cache::{Cache, Filter};
pub use point::{BlockPoint, HookPoint};

use crate::{Error, Result, Scalar, model::Config};
use ndarray::ArrayViewMutD;

/// Why a hook ended a run.
pub type HookError = Box<dyn std::error::Error + Send + Sync>;

type HookFn<'a, T> = Box<dyn FnMut(&mut ArrayViewMutD<'_, T>) -> Result<(), HookError> + 'a>;

/// Hooks for one run: each sees the activation of the whole batch at its point and may change it in place, and
/// everything computed from that activation follows. They run on the caller's thread.
pub struct Hooks<'a, T> {
    config: &'a Config,
    hooks: Vec<(HookPoint, HookFn<'a, T>)>,
}

impl<'a, T: Scalar> Hooks<'a, T> {
    /// No hooks yet, for models of this config.
    pub fn new(config: &'a Config) -> Self {
        Self { config, hooks: Vec::new() }
    }

    /// Adds a hook at the point of this name. Several at one point run in the order they were added.
    ///
    /// # Errors
    /// [`Error::UnknownName`] with the names near it.
    pub fn add<F>(&mut self, name: &str, hook: F) -> Result<&mut Self>
    where
        F: FnMut(&mut ArrayViewMutD<'_, T>) -> Result<(), HookError> + 'a,
    {
        let point = HookPoint::find(name, self.config)?;
        Ok(self.add_at(point, hook))
    }

    /// Adds a hook at a point.
    pub fn add_at<F>(&mut self, point: HookPoint, hook: F) -> &mut Self
    where
        F: FnMut(&mut ArrayViewMutD<'_, T>) -> Result<(), HookError> + 'a,
    {
        self.hooks.push((point, Box::new(hook)));
        self
    }

    /// Whether a model of this config has every point that a hook sits at.
    /// # Errors
    /// [`Error::UnknownName`] for the first that it has not.
    pub fn check(&self, config: &Config) -> Result<()> {
        let all = HookPoint::all(config);
        match self.hooks.iter().find(|(point, _)| !all.contains(point)) {
            None => Ok(()),
            Some((point, _)) => {
                Err(Error::unknown("hook point", &point.to_string(), all.iter().map(ToString::to_string)))
            }
        }
    }

    /// The points that hooks sit at.
    pub fn points(&self) -> impl Iterator<Item = HookPoint> {
        self.hooks.iter().map(|(point, _)| *point)
    }

    /// Whether some hook sits at a point for which this holds.
    pub fn any(&self, at: impl Fn(HookPoint) -> bool) -> bool {
        self.points().any(at)
    }

    /// Runs the hooks at a point, in the order they were added.
    ///
    /// # Errors
    /// [`Error::Hook`] for the first that fails; those after it are not run.
    pub fn run(&mut self, point: HookPoint, activation: &mut ArrayViewMutD<'_, T>) -> Result<()> {
        for (_, hook) in self.hooks.iter_mut().filter(|(at, _)| *at == point) {
            hook(activation).map_err(|source| Error::Hook { point: point.to_string(), source })?;
        }
        Ok(())
    }
}
