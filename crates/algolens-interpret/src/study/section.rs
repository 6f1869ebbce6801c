//! Sections of a study: headings, and what stands below them.

use super::figure::Figure;
use crate::Unit;
use serde::{Deserialize, Serialize};

/// A section of a study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Section {
    /// The section's name, by which links find it.
    pub id: String,
    /// What it is about.
    pub title: String,
    /// Its main number, in a few words.
    pub headline: String,
    /// What was found, in a sentence.
    pub caption: String,
    /// What stands in it, in order.
    pub items: Vec<Item>,
}

/// A part of a section.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Item {
    /// A figure.
    Figure(Figure),
    /// A table.
    Table(Table),
    /// The study's findings, with where each is shown.
    Claims(Vec<ShownAt>),
    /// A remark.
    Note(Note),
    /// Parts side by side, where there is room.
    Row(Vec<Item>),
}

/// Where a finding is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownAt {
    /// The claim's id.
    pub claim: String,
    /// The id of a section, or the anchor of a figure.
    pub at: String,
}

/// A remark: a heading, if it has one, and its paragraphs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The heading.
    pub title: Option<String>,
    /// The paragraphs.
    pub lines: Vec<String>,
}

/// A table. The first cell of a row names it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// The table's name.
    pub id: String,
    /// What it shows.
    pub caption: String,
    /// The headings of the columns; none where rows are names and values.
    pub columns: Vec<String>,
    /// Its rows.
    pub rows: Vec<Vec<Cell>>,
}

/// A cell of a table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Nothing.
    Empty,
    /// Words.
    Text(String),
    /// A number with its unit.
    Number(f64, Unit),
    /// A number with its unit, and words about it.
    Noted(f64, Unit, String),
    /// A wrong answer, and the right one.
    Wrong {
        /// What the model says.
        said: String,
        /// What is right.
        right: String,
    },
    /// One of the shown examples, by its index.
    Example(usize),
    /// A link to another page.
    Link {
        /// What it says.
        words: String,
        /// The page: a path in the folder of this one.
        href: String,
    },
}

impl Section {
    /// The section's figures, those side by side too.
    pub fn figures(&self) -> impl Iterator<Item = &Figure> {
        flat(&self.items)
            .into_iter()
            .filter_map(|item| if let Item::Figure(figure) = item { Some(figure) } else { None })
    }

    /// The section's claims with their places.
    pub fn claims(&self) -> impl Iterator<Item = &ShownAt> {
        flat(&self.items).into_iter().flat_map(|item| if let Item::Claims(shown) = item { &shown[..] } else { &[] })
    }

    /// The section's tables, those side by side too.
    pub fn tables(&self) -> impl Iterator<Item = &Table> {
        flat(&self.items).into_iter().filter_map(|item| if let Item::Table(table) = item { Some(table) } else { None })
    }

    /// The table of a name.
    pub fn table_mut(&mut self, id: &str) -> Option<&mut Table> {
        flat_mut(&mut self.items).into_iter().find_map(|item| match item {
            Item::Table(table) if table.id == id => Some(table),
            _ => None,
        })
    }

    /// The figure of a name.
    pub fn figure_mut(&mut self, id: &str) -> Option<&mut Figure> {
        flat_mut(&mut self.items).into_iter().find_map(|item| match item {
            Item::Figure(figure) if figure.id == id => Some(figure),
            _ => None,
        })
    }
}

/// The items, those side by side one by one.
fn flat(items: &[Item]) -> Vec<&Item> {
    let mut flat_items = Vec::new();
    for item in items {
        match item {
            Item::Row(items) => flat_items.extend(flat(items)),
            item => flat_items.push(item),
        }
    }
    flat_items
}

/// The items, those side by side one by one.
fn flat_mut(items: &mut [Item]) -> Vec<&mut Item> {
    let mut flat_items = Vec::new();
    for item in items {
        match item {
            Item::Row(items) => flat_items.extend(flat_mut(items)),
            item => flat_items.push(item),
        }
    }
    flat_items
}

impl Cell {
    /// A cell of words.
    pub fn text(words: impl Into<String>) -> Self {
        Self::Text(words.into())
    }

    /// The cell as a reader without a page sees it.
    pub fn words(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(words) | Self::Link { words, .. } => words.clone(),
            Self::Number(value, unit) => unit.number(*value),
            Self::Noted(value, unit, note) => format!("{} ({note})", unit.number(*value)),
            Self::Wrong { said, right } => format!("✗ {said} for {right}"),
            Self::Example(at) => format!("example {}", at + 1),
        }
    }
}
