//! A search in parts: several searches of one model, each over some of its classes, that come to one certificate.
//!
//! First every part begins its classes; then each goes on by itself, knowing which classes all of them have certified at their
//! roots, by which lists are counted whose first wrong prediction is in a class.

use super::{
    Classes, Search, Tables,
    state::{Open, State},
    tree::Tree,
};
use algolens_check::certificate::Class;
use algolens_core::{Error, Result};
use std::collections::HashSet;

impl<'a> Search<'a> {
    /// Whether every class is begun.
    pub fn has_begun_all(&self) -> bool {
        self.begun() == self.classes.all().len()
    }

    /// The classes that it has certified at their roots.
    pub fn certified_at_root(&self) -> Vec<Class> {
        let trees = self.classes.all().iter().zip(&self.state.trees);
        trees.filter(|(_, tree)| tree.is_certified_at_root()).map(|(class, _)| *class).collect()
    }

    /// The search as one of so many parts, all of which together have certified these classes at their roots.
    pub fn as_part(mut self, of: usize, certified: &[Class]) -> Self {
        self.certified.extend(certified);
        self.state.assumed = certified.to_vec();
        self.parts = of.max(1);
        self
    }

    /// The search over all `classes` to which searches over their [parts](Classes::part) have come, in the order of the parts.
    ///
    /// # Errors
    /// Parts that are not of these classes, or have not begun all of theirs; parts with different slack; one that was told of a
    /// certified class that is none.
    pub fn joined(tables: &'a Tables, classes: Classes, parts: Vec<Self>) -> Result<Self> {
        let of = parts.len();
        for (number, part) in parts.iter().enumerate() {
            let expected = classes.part(number, of);
            if part.classes.all() != expected.all() || !part.has_begun_all() {
                let found = format!("{} classes, {} of them begun", part.classes.all().len(), part.begun());
                let expected = format!("{} classes, all begun", expected.all().len());
                return Err(Error::invalid(format!("part {} of {of} of a search", number + 1), expected, found));
            }
            if part.slack() != parts[0].slack() {
                return Err(Error::invalid("slack of a part", parts[0].slack().to_string(), part.slack()));
            }
        }
        let certified: HashSet<Class> = parts.iter().flat_map(Self::certified_at_root).collect();
        if let Some(class) = parts.iter().flat_map(|part| &part.state.assumed).find(|class| !certified.contains(class))
        {
            return Err(Error::invalid(
                "parts of a search",
                "classes that they certify",
                format!("{class:?}, which they do not"),
            ));
        }
        let Some(first) = parts.first() else { return Err(Error::invalid("parts of a search", "at least one", 0)) };
        let mut state = State::new(first.slack(), tables);
        let mut trees: Vec<Option<Tree>> = classes.all().iter().map(|_| None).collect();
        for (number, part) in parts.into_iter().enumerate() {
            let State { trees: of_part, open, work, seconds, .. } = part.state;
            let place = |tree: usize| number + tree * of;
            of_part.into_iter().enumerate().for_each(|(at, tree)| trees[place(at)] = Some(tree));
            state.open.extend(open.into_iter().map(|open| Open { tree: place(open.tree as usize) as u32, ..open }));
            state.work += work;
            state.seconds += seconds;
        }
        state.trees = trees.into_iter().flatten().collect();
        Ok(Self::with(tables, classes, state))
    }
}
