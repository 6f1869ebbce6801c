//! Analyses and studies, from outside.

mod ablation;
mod circuits;
mod enumerate;
mod interpret;
mod interventions;
mod study;
