//! What a file holds, whatever container it is.

#[cfg(feature = "torch")]
use super::{archive::Archive, npz, plain_pickle, stream, torch_zip};
use super::{bytes::Bytes, damage, foreign, json, limits::Budget, safetensors, value::Value};
use crate::{Error, Result};
use std::collections::BTreeMap;

/// What a file holds: a tree of values. Nothing in the file was executed to make it.
///
/// A [`Checkpoint`](super::super::Checkpoint) is made of it; it also serves to look at files that hold no model of ours.
#[derive(Clone, Debug)]
pub struct Contents {
    /// What kind of file it is.
    pub container: Container,
    /// What it holds.
    pub root: Value,
    /// The texts that safetensors hold beside the tensors.
    pub metadata: BTreeMap<String, String>,
    /// The bytes of the file.
    length: usize,
}

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Container {
    /// Safetensors.
    Safetensors,
    /// A zip archive of `torch.save`.
    TorchZip,
    /// A stream of `torch.save`, as it was before PyTorch 1.6.
    TorchStream,
    /// A pickle.
    Pickle,
    /// Arrays of `numpy.savez`.
    Npz,
    /// JSON.
    Json,
}

impl Contents {
    /// Reads a file of any kind that checkpoints are saved as.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] and [`Error::Invalid`] for what is truncated, damaged, hostile or of no such kind.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self> {
        if bytes.is_empty() {
            return Err(Error::checkpoint("the file is empty"));
        }
        let bytes = Bytes::from(bytes);
        read(&bytes).map_err(|error| match damage::of(&bytes) {
            Some(damage) => Error::checkpoint(damage),
            None => error,
        })
    }

    /// The bytes of the file, to which what is made of it is in proportion.
    pub(in super::super) fn length(&self) -> usize {
        self.length
    }
}

fn read(bytes: &Bytes) -> Result<Contents> {
    let budget = &mut Budget::of_file(bytes.len());
    let length = bytes.len();
    let of = |container, root| Contents { container, root, metadata: BTreeMap::new(), length };
    // Safetensors may begin with any byte: the length of their header.
    if !safetensors::recognizes(bytes) {
        // A tar archive begins with the name of its first file, which may be any.
        if let Some(kind) = foreign::tar(bytes) {
            return Err(Error::checkpoint(kind));
        }
        if bytes.starts_with(b"PK") {
            return read_zip(bytes, budget).map(|(container, root)| of(container, root));
        }
        if bytes.first() == Some(&0x80) {
            return read_pickle(bytes, budget).map(|(container, root)| of(container, root));
        }
        if let Some(kind) = foreign::kind_of(bytes) {
            return Err(Error::checkpoint(kind));
        }
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        if matches!(text.first(), Some(b'{' | b'[')) {
            return json::read(bytes, budget).map(|root| of(Container::Json, root));
        }
        if !safetensors::may_begin(bytes) {
            return Err(Error::checkpoint("neither safetensors nor PyTorch, a pickle, .npz or JSON"));
        }
    }
    let (root, metadata) = safetensors::read(bytes, budget)?;
    Ok(Contents { container: Container::Safetensors, root, metadata, length })
}

#[cfg(feature = "torch")]
fn read_zip(bytes: &Bytes, budget: &mut Budget) -> Result<(Container, Value)> {
    let mut archive = Archive::open(bytes)?;
    if let Some(folder) = torch_zip::folder(&archive) {
        return Ok((Container::TorchZip, torch_zip::read(&mut archive, &folder, budget)?));
    }
    if npz::recognizes(&archive) {
        return Ok((Container::Npz, npz::read(&mut archive, budget)?));
    }
    Err(Error::checkpoint(match archive.names() {
        names if names.iter().any(|name| name.ends_with("saved_model.pb")) => {
            "a TensorFlow SavedModel: save the weights as .npz (numpy.savez)"
        }
        names if names.iter().any(|name| name.ends_with(".h5")) => {
            "a Keras model: save the weights as .npz (numpy.savez)"
        }
        _ => "a zip archive, but neither of torch.save (it has no data.pkl) nor of numpy.savez (all .npy)",
    }))
}

#[cfg(feature = "torch")]
fn read_pickle(bytes: &Bytes, budget: &mut Budget) -> Result<(Container, Value)> {
    if stream::recognizes(bytes) {
        return Ok((Container::TorchStream, stream::read(bytes, budget)?));
    }
    Ok((Container::Pickle, plain_pickle::read(bytes, budget)?))
}

#[cfg(not(feature = "torch"))]
fn read_zip(_: &Bytes, _: &mut Budget) -> Result<(Container, Value)> {
    Err(Error::checkpoint("zip archives (PyTorch, .npz) need the feature `torch`"))
}

#[cfg(not(feature = "torch"))]
fn read_pickle(_: &Bytes, _: &mut Budget) -> Result<(Container, Value)> {
    Err(Error::checkpoint("pickles (PyTorch) need the feature `torch`"))
}
