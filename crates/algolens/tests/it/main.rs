//! The whole library against numbers that others computed.

mod family;
mod own_model;
mod reference;
