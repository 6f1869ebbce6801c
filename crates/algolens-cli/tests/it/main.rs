//! The verbs from outside.

mod all_inputs;
mod attacks;
mod backend;
mod bad_input;
mod cache;
mod checkpoints;
mod containers;
mod data_file;
mod layouts;
mod program;
mod proofs;
mod ran;
mod recipe_flags;
mod sweep;
mod tasks;
mod train;
mod train_data;
mod verbs;
