//! The verbs from outside.

mod backend;
mod bad_input;
mod program;
mod proofs;
mod train;
mod verbs;
