//! Sweeps: many models of one [`Plan`], each trained and studied by itself, and what they come to together.
//!
//! A plan says which [`Recipe`](algolens::train::Recipe) each run has. A [`run`](run()) knows nothing of the others, and its
//! [`Row`] is a function of plan and number, so that whoever runs it, wherever and however often, finds the same. Rows make a
//! [`table`](table()), its [`parquet`](parquet()) file, and a page ([`sheet`](sheet())). [`sweep`] does it all on one machine, in a
//! [`Folder`].

mod begun;
mod draw;
mod folder;
mod local;
mod parquet;
mod plan;
mod program;
mod row;
mod run;
mod sheet;
mod standouts;
mod table;

pub use begun::{begun, check_begun, digest};
pub use folder::Folder;
pub use local::{Teller, Told, sweep};
pub use parquet::parquet;
pub use plan::Plan;
pub use program::Program;
pub use row::{ClaimFound, Row};
pub use run::{Done, Saving, Stage, report, run};
pub use sheet::sheet;
pub use standouts::{Standout, standouts};
pub use table::{Column, Values, table};
