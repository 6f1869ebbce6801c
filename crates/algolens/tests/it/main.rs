//! The whole library against numbers that others computed.

mod own_model;
mod reference;
