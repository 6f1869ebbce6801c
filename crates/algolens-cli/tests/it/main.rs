//! The verbs from outside.

mod backend;
mod bad_input;
mod proofs;
mod train;
mod verbs;
