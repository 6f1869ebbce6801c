//! Analyses and studies, from outside.

mod ablation;
mod attack;
mod circuits;
mod enumerate;
mod interpret;
mod interventions;
mod study;
