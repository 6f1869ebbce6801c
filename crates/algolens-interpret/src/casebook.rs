//! Casebooks: what is a task's own in a study.

use crate::{
    Subject,
    study::{Arrays, Group, Study},
};
use algolens_core::{
    Result,
    model::{Config, Model, processing::Step},
    task::{
        self, BalancedBrackets, CountUnique, CumulativeSum, Dataset, FirstUnique, MaxOfList, ModularArithmetic,
        Palindrome, SortedList, Sum, Task, TaskKind, TaskSpec, Token,
    },
};
use std::{fmt, sync::Arc};

/// The casebook of a task: the examples worth looking at, and the evidence, claims and figures that only it has.
///
/// A study has its generic sections without one. A casebook writes into the study after them: it adds measures, arrays and
/// findings, and adds, amends or replaces sections, so that a reader sees one study and need not know who wrote what.
pub trait Casebook: Send + Sync {
    /// Inputs that a study of the task should show, group by group.
    fn examples(&self) -> Vec<(Group, Vec<Vec<Token>>)> {
        Vec::new()
    }

    /// Checks that the casebook can be asked about models of this kind.
    ///
    /// # Errors
    /// What it needs and the model does not have.
    fn check(&self, _: &Config) -> Result<()> {
        Ok(())
    }

    /// The names of the stages that [`write`](Self::write) goes through.
    fn stages(&self) -> &'static [&'static str] {
        &[]
    }

    /// Writes what is the task's own into a study.
    ///
    /// # Errors
    /// A model that the casebook cannot be asked about, or [`Error::Cancelled`](algolens_core::Error::Cancelled).
    fn write(&self, case: &mut Case, study: &mut Study, arrays: &mut Arrays) -> Result<()>;
}

/// The case that a casebook is asked about: a model, its data, and what a study has found of it so far.
pub struct Case<'a> {
    /// The model and the engine that runs it.
    pub subject: Subject<'a>,
    /// The evaluation data.
    pub data: &'a Dataset,
    /// The seed of the study.
    pub seed: u32,
    /// The processing steps that the weights went through.
    pub processing: &'a [Step],
    /// Models of the same task from other seeds, processed alike.
    pub others: &'a [Model],
    /// Says that the next stage begins.
    pub next_stage: &'a mut dyn FnMut() -> Result<()>,
}

/// The casebooks that a program knows, by the names of their tasks.
#[derive(Clone)]
pub struct Casebooks {
    books: Vec<(&'static str, OfSpec)>,
}

type OfSpec = fn(&TaskSpec) -> Result<Arc<dyn Casebook>>;

impl Default for Casebooks {
    /// The casebooks of this crate.
    fn default() -> Self {
        Self { books: Vec::new() }
            .with::<SortedList>()
            .with::<Palindrome>()
            .with::<FirstUnique>()
            .with::<Sum>()
            .with::<CumulativeSum>()
            .with::<BalancedBrackets>()
            .with::<MaxOfList>()
            .with::<CountUnique>()
            .with::<ModularArithmetic>()
            .with::<task::Group>()
    }
}

impl Casebooks {
    /// The casebooks with one more, which goes before another of its task.
    pub fn with<K: TaskKind + Casebook>(mut self) -> Self {
        self.books.retain(|(name, _)| *name != K::NAME);
        self.books.push((K::NAME, |spec| Ok(Arc::new(K::of(spec)?))));
        self
    }

    /// The casebook of a task, if there is one.
    ///
    /// # Errors
    /// A task that has the name of a casebook's, but other options.
    pub fn of(&self, task: &dyn Task) -> Result<Option<Arc<dyn Casebook>>> {
        let spec = task.spec();
        let book = self.books.iter().find(|(name, _)| *name == spec.name);
        book.map(|(_, of)| of(&spec)).transpose()
    }
}

impl fmt::Debug for Casebooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.books.iter().map(|(name, _)| name)).finish()
    }
}
