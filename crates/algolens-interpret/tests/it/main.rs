//! Analyses and studies, from outside.

mod ablation;
mod interpret;
mod interventions;
mod study;
