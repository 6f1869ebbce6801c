//! A sorting model that runs.

use algolens_core::{engine::Engine, model::Model, task::SortedList};

/// A sorting model with its task and engine.
#[derive(Clone, Copy)]
pub struct Sorter<'a> {
    /// The model.
    pub model: &'a Model,
    /// Its task.
    pub task: &'a SortedList,
    /// The engine that runs it.
    pub engine: &'a dyn Engine,
}
