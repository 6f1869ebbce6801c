//! The algolens command line as a library: another program is the same command line with tasks of its own.

mod ablate;
mod as_transformerlens;
mod attack;
mod attention;
mod attribute;
mod backend_flags;
mod bench;
mod cache;
mod certify;
mod check;
mod circuits;
mod command;
mod completions;
mod data;
mod data_file;
mod dataset;
mod eval;
mod example;
mod hint_flags;
mod inspect;
mod layout_file;
mod lists;
mod load;
mod model_config;
mod npy;
mod output;
mod pattern;
mod predict;
mod proof;
mod recipe_flags;
mod refusal;
mod report;
mod roof;
mod scores;
mod sections;
mod shown_flags;
mod state_file;
mod studied;
mod study;
#[cfg(feature = "sweep")]
mod sweep;
mod terminal;
mod train;
mod values;

pub use command::run;
