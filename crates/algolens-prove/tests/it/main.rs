//! Attacks and proofs, from outside.

mod attack;
mod cases;
mod forgery;
mod prove;
