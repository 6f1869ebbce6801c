//! Tasks, models, engines and training, from outside.

mod cache;
mod checkpoints;
mod chunks;
mod forms;
mod gradients;
mod hooks;
mod processing;
mod torch_parity;
