//! The tasks that a program knows.

use super::{SortedList, TaskSpec};
use crate::model::Config;

/// The tasks that a program finds for a checkpoint that states none.
#[derive(Clone, Debug)]
pub struct Registry {
    fittings: Vec<Fitting>,
}

/// A task's spec for a model's `n_ctx`, `d_vocab` and `d_vocab_out`, if it has one of these sizes.
type Fitting = fn(usize, usize, usize) -> Option<TaskSpec>;

impl Default for Registry {
    /// The tasks of this crate.
    fn default() -> Self {
        Self { fittings: vec![SortedList::fitting] }
    }
}

impl Registry {
    /// No tasks: models are taken for what their files state, and nothing else.
    pub fn empty() -> Self {
        Self { fittings: Vec::new() }
    }

    /// The task whose sizes a model has; none if there is none, or more than one.
    pub fn fitting(&self, config: &Config) -> Option<TaskSpec> {
        let Config { n_ctx, d_vocab, d_vocab_out, .. } = *config;
        let mut specs = self.fittings.iter().filter_map(|fitting| fitting(n_ctx, d_vocab, d_vocab_out));
        specs.next().filter(|_| specs.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::Recipe;

    #[test]
    fn a_model_fits_the_task_whose_sizes_it_has() {
        let config = Recipe::default().config().unwrap();
        assert_eq!(Registry::default().fitting(&config), Some(TaskSpec::POST));
        assert_eq!(Registry::empty().fitting(&config), None);
        let even = Config { n_ctx: config.n_ctx + 1, ..config.clone() };
        let classes = Config { d_vocab_out: 2, ..config };
        assert_eq!([even, classes].map(|config| Registry::default().fitting(&config)), [None, None]);
    }
}
