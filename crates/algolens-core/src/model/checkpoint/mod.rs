//! Checkpoints: a model and its task as bytes.
//!
//! We write safetensors whose one metadata key, `algolens`, holds the config and the task. We read those, safetensors of
//! TransformerLens state dicts, and (feature `torch`) PyTorch `.pt` state dicts; what such a file does not say is
//! inferred from names and shapes, or taken from [`Hints`].

mod infer;
#[cfg(feature = "torch")]
mod pickle;
mod safetensors;
mod state_dict;
#[cfg(feature = "torch")]
mod torch;

pub use infer::{Hints, Note, Source};

use super::{Config, Model};
use crate::{Error, Result, header, task::TaskSpec};
use serde::{Deserialize, Serialize};
use state_dict::StateDict;

/// A model and the task it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// The model.
    pub model: Model<f32>,
    /// The task, if the file says; a [`Registry`](crate::task::Registry) may know it.
    pub task: Option<TaskSpec>,
}

/// A checkpoint as it was read.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The model and its task.
    pub checkpoint: Checkpoint,
    /// Where each part of the config that the file does not state came from; empty for our own files.
    pub notes: Vec<Note>,
    /// The names of tensors that were passed over: buffers that are no weights (such as `IGNORE`), and what stands outside
    /// the state dict that was read (another copy of the weights, say).
    pub passed_over: Vec<String>,
}

/// What our metadata key holds, as JSON.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    config: Config,
    task: Option<TaskSpec>,
}

const FORMAT: u32 = 1;

impl Checkpoint {
    /// The checkpoint as safetensors: a function of the weights, the config and the task alone.
    ///
    /// # Errors
    /// Never for models that fit in memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header { format: FORMAT, config: self.model.config().clone(), task: self.task.clone() };
        let header = serde_json::to_string(&header).map_err(Error::checkpoint)?;
        safetensors::write(&self.model.params, header)
    }

    /// Reads a checkpoint of any kind. Nothing in it is ever executed.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is truncated, hostile or of no known kind; [`Error::Invalid`] for weights that are
    /// missing, misshapen, of the wrong type or not finite, and for hints that contradict the file;
    /// [`Error::NotDetermined`] where a hint is needed.
    pub fn from_bytes(bytes: Vec<u8>, hints: &Hints) -> Result<Loaded> {
        // A safetensors file may begin with any byte: the length of its header.
        let looks_like_torch = [b"PK".as_slice(), b"\x80"].iter().any(|magic| bytes.starts_with(magic));
        let (state_dict, header) = if looks_like_torch && !safetensors::recognizes(&bytes) {
            (read_torch(bytes)?, None)
        } else {
            safetensors::read(&bytes)?
        };
        match header {
            Some(header) => Self::from_own_file(&state_dict, &header, hints),
            None => Self::from_state_dict(state_dict, hints),
        }
    }

    fn from_own_file(state_dict: &StateDict, header: &str, hints: &Hints) -> Result<Loaded> {
        let broken = |error| Error::checkpoint(format_args!("its config: {error}"));
        let Header { format: _, config, task } = header::read(header, FORMAT, "checkpoint", broken)?;
        config.validate()?;
        hints.check_against(&config)?;
        let model = state_dict.fill(config)?;
        Ok(Loaded { checkpoint: Self { model, task }, notes: Vec::new(), passed_over: state_dict.buffers() })
    }

    fn from_state_dict(state_dict: StateDict, hints: &Hints) -> Result<Loaded> {
        let (state_dict, mut passed_over) = state_dict.choose_prefix();
        let (config, notes) = infer::config(&state_dict, hints)?;
        let model = state_dict.fill(config)?;
        passed_over.extend(state_dict.buffers());
        Ok(Loaded { checkpoint: Self { model, task: None }, notes, passed_over })
    }
}

#[cfg(feature = "torch")]
fn read_torch(bytes: Vec<u8>) -> Result<StateDict> {
    torch::read(bytes)
}

#[cfg(not(feature = "torch"))]
fn read_torch(_: Vec<u8>) -> Result<StateDict> {
    Err(Error::checkpoint("PyTorch files need the feature `torch`"))
}
