//! Studies: every analysis of one model, as data.

mod ablations;
mod accuracies;
mod arrays;
mod attributions;
mod copied;
mod data;
mod examples;
mod figure;
mod known;
mod labels;
mod material;
mod run;
mod section;
pub(crate) mod sections;
mod vocabulary;
mod whole;

pub use ablations::{AblationTable, Costs};
pub use arrays::Arrays;
pub(crate) use arrays::table;
pub(crate) use copied::peaks;
pub use data::Study;
pub use examples::{Group, RANDOM, ShownExample, WORST, YOURS};
pub use figure::{Axis, AxisLabels, Figure, Plot};
pub use known::{Known, SampledWorst, known};
pub use labels::Labels;
pub use material::Material;
pub use run::{Stage, StudyOptions, check_other, study};
pub use section::{Cell, Item, Note, Section, ShownAt, Table};
pub use sections::Training;
pub use whole::check_sections;
