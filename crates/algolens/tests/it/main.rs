//! The whole library: against numbers that others computed, and its layout.

mod circles;
mod claims;
mod family;
mod own_model;
mod pinned;
mod reference;
mod tasks;
