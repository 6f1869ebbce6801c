//! Tasks, models, engines and training, from outside.

mod backends;
mod cache;
mod checkpoints;
mod chunks;
mod containers;
mod family;
mod gradients;
mod hooks;
mod layouts;
mod processing;
mod targets;
mod tasks;
mod torch_parity;
mod train;
