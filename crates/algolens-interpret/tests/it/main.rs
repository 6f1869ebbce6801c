//! Analyses and studies, from outside.

mod ablation;
mod circuits;
mod interpret;
mod interventions;
mod study;
