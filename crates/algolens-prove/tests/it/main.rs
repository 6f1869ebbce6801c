//! Attacks and proofs, from outside.

mod prove;
