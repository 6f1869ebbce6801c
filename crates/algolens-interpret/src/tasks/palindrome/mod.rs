//! Palindromes: who compares the mirror images, and which broken pairs go unseen.

mod casebook;
mod claims;
mod evidence;

pub use claims::claims;
pub use evidence::Evidence;
