//! Checkpoints: a model and its task as bytes.
//!
//! We write safetensors whose one metadata key, `algolens`, holds the config and the task. We read those, and state dicts
//! in every container that people save them in ([`Contents`]): safetensors, JSON, and (feature `torch`) PyTorch's files,
//! pickles and `.npz`. Which state dict of a file is meant is [chosen](Contents::choose); what it does not say of its model
//! is inferred from names and shapes, or taken from [`Hints`].

mod beside;
mod config_file;
mod container;
mod hints;
mod infer;
mod layout;
mod select;
mod settings;
mod state_dict;

pub use container::{Bytes, Container, Contents, Dict, Dtype, List, Object, Tensor, Value};
pub use hints::{Hints, OfTask, Source};
pub use infer::Note;
pub use layout::{Draft, Layout, Rule};
pub use select::Chosen;
pub use settings::{PositionalEmbedding, Settings};

use super::{Config, Model};
use crate::{Error, Result, Scalar, header, task::TaskSpec};
use layout::Mapped;
use serde::{Deserialize, Serialize};
use state_dict::StateDict;
use std::collections::BTreeMap;

/// A model and the task it was trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint<T = f32> {
    /// The model.
    pub model: Model<T>,
    /// The task, if the file says; a [`Registry`](crate::task::Registry) may know it.
    pub task: Option<TaskSpec>,
}

/// A checkpoint as it was read.
#[derive(Clone, Debug)]
pub struct Loaded<T = f32> {
    /// The model and its task.
    pub checkpoint: Checkpoint<T>,
    /// Where each part of the config that the file does not state came from; empty for our own files.
    pub notes: Vec<Note>,
    /// The names of tensors that were passed over: buffers that are no weights (such as `IGNORE`), copies of
    /// weights, what the hints say to ignore, and what stands outside the state dict that was read (another copy, what an
    /// optimizer keeps).
    pub passed_over: Vec<String>,
    /// Where in the file the weights stood, as a key: empty at its top, and for our own files.
    pub key: String,
    /// The layout of the state dict, by name.
    pub layout: String,
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
/// The metadata key that holds the config of our own files.
const KEY: &str = "algolens";

impl Checkpoint {
    /// The checkpoint as safetensors: a function of the weights, the config and the task alone.
    ///
    /// # Errors
    /// Never for models that fit in memory.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let header = Header { format: FORMAT, config: self.model.config().clone(), task: self.task.clone() };
        let header = serde_json::to_string(&header).map_err(Error::checkpoint)?;
        container::write_safetensors(&self.model.params, KEY, header)
    }

    /// Reads a checkpoint of any kind. Nothing in it is ever executed.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] if it is truncated, damaged, hostile or of no known kind; [`Error::Invalid`] for weights that
    /// are missing, misshapen, of the wrong type or not finite, for tensors that are no weights, and for hints that
    /// contradict the file; [`Error::NotDetermined`] where a hint is needed, [`Error::SeveralStateDicts`] where the key is.
    pub fn from_bytes(bytes: Vec<u8>, hints: &Hints) -> Result<Loaded> {
        read(bytes, hints)
    }
}

impl Contents {
    /// Whether it is a file of our own, which states its whole config.
    pub fn is_own(&self) -> bool {
        self.metadata.contains_key(KEY)
    }
}

impl Checkpoint<f64> {
    /// [`from_bytes`](Checkpoint::from_bytes) in double precision: each weight as the file has it.
    ///
    /// # Errors
    /// As there.
    pub fn from_bytes_in_f64(bytes: Vec<u8>, hints: &Hints) -> Result<Loaded<f64>> {
        read(bytes, hints)
    }
}

fn read<T: Scalar>(bytes: Vec<u8>, hints: &Hints) -> Result<Loaded<T>> {
    let contents = Contents::from_bytes(bytes)?;
    match contents.metadata.get(KEY) {
        Some(header) => read_own_file(&contents, header, hints),
        None => read_state_dict(&contents, hints),
    }
}

fn read_own_file<T: Scalar>(contents: &Contents, header: &str, hints: &Hints) -> Result<Loaded<T>> {
    let broken = |error| Error::checkpoint(format_args!("its config: {error}"));
    let Header { format: _, config, task } = header::read(header, FORMAT, "checkpoint", broken)?;
    config.validate()?;
    hints.check_against(&config)?;
    if let Some(key) = &hints.key {
        return Err(Error::invalid("key", "none: the file holds one model", key));
    }
    if let Some(layout) = &hints.layout {
        return Err(Error::invalid("layout", "none: the file is of our own", &layout.name));
    }
    let tensors = contents.root.as_dict().into_iter().flat_map(|dict| dict.entries()).filter_map(|entry| match entry {
        (Value::Text(name), Value::Tensor(tensor)) => Some((name.to_string(), tensor.clone())),
        _ => None,
    });
    let state_dict = StateDict::new(tensors.collect::<BTreeMap<_, _>>()).ignoring(&hints.ignore)?;
    let (model, passed_over) = state_dict.fill(config)?;
    let checkpoint = Checkpoint { model, task };
    Ok(Loaded { checkpoint, notes: Vec::new(), passed_over, key: String::new(), layout: "algolens".into() })
}

fn read_state_dict<T: Scalar>(contents: &Contents, hints: &Hints) -> Result<Loaded<T>> {
    let Chosen { tensors, key, outside, beside } = contents.choose(hints.key.as_deref())?;
    let mut hints = hints.clone();
    hints.config = hints.config.and(beside::settings(&beside)?.unwrap_or_default())?;
    let state_dict = StateDict::new(tensors).ignoring(&hints.ignore)?;
    let Mapped { layout, state_dict, usual, heads_of_task, buffers, .. } = layout::read(&state_dict, &hints)?;
    let (config, mut notes) = infer::config(&state_dict, &hints, &usual)?;
    // The mapped tensors have so many only because the task does.
    for note in notes.iter_mut().filter(|note| note.what == "n_heads" && heads_of_task.is_some()) {
        note.source = Source::Task;
    }
    let (model, no_weights) = state_dict.fill(config)?;
    let mut passed_over = outside;
    passed_over.extend(buffers);
    passed_over.extend(no_weights);
    Ok(Loaded { checkpoint: Checkpoint { model, task: None }, notes, passed_over, key, layout })
}
