//! Analyses and studies, from outside.

mod interpret;
mod study;
