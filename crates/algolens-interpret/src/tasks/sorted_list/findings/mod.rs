//! The post's claims as findings: each measured on a model and on a control of random weights, and judged.

mod circuits;
mod claim;
mod evidence;
mod experiments;
mod finding;
mod heads;
mod scores;
mod sorting;

pub use evidence::{Evidence, EvidenceOptions};
pub use experiments::{ToZero, WithoutDirectPath};
pub use finding::findings;
