//! The verbs from outside.

mod bad_input;
mod engine;
mod proofs;
mod train;
mod verbs;
