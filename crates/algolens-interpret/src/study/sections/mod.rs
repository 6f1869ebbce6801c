//! The sections that every study has.

mod attention;
mod circuits;
pub(super) mod families;
mod model;
mod parts;
mod predictions;
mod training;
mod worst;

pub use training::Training;
pub(crate) use worst::examples_table;

use super::{
    arrays::Arrays,
    data::Study,
    figure::{Figure, Plot},
    section::{Item, Section},
};
use crate::HeadAttention;

/// The sections of a study, from its numbers and arrays: those that need no knowledge of its task.
pub(super) fn sections(study: &Study, arrays: &Arrays, names: &Names) -> Vec<Section> {
    let mut sections = vec![
        model::section(study),
        predictions::section(study, names),
        attention::section(study, &names.heads),
        parts::ablation(study),
        circuits::section(study, &names.copied),
        parts::attribution(arrays, names),
    ];
    sections.extend(worst::section(study));
    sections
}

/// What only the sections show, and what the rows of some arrays are called.
pub(super) struct Names {
    /// What each head attends to.
    pub heads: Vec<HeadAttention>,
    /// The components of `attribution`.
    pub components: Vec<String>,
    /// The classes of `accuracy_by_class`.
    pub classes: Vec<String>,
    /// How many of the shown tokens each head of the first block copies: attending to one boosts its own class most of all.
    pub copied: Vec<usize>,
}

fn section(id: &str, title: &str, (headline, caption): (String, String), items: Vec<Item>) -> Section {
    Section { id: id.into(), title: title.into(), headline, caption, items }
}

/// A figure as an item.
pub(crate) fn figure(id: impl Into<String>, title: impl Into<String>, how: &str, plot: Plot) -> Item {
    Item::Figure(Figure { id: id.into(), title: title.into(), how: how.into(), plot })
}

/// A share in percent, with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
