//! The whole library: against numbers that others computed, and its layout.

mod circles;
mod family;
mod own_model;
mod reference;
