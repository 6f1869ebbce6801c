//! Tasks, models, engines and training, from outside.

mod backends;
mod cache;
mod checkpoints;
mod chunks;
mod gradients;
mod hooks;
mod processing;
mod torch_parity;
