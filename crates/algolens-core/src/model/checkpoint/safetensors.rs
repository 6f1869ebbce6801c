//! Safetensors, written and read.

use super::state_dict::{StateDict, Tensor, Values};
use crate::{Error, Result, header, model::Params};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::HashMap;

/// The metadata key that holds the config of our own files.
const KEY: &str = "algolens";
/// The longest header, in bytes: ten thousand tensors.
const LONGEST_HEADER: u64 = 1 << 20;

/// A file with these weights and one metadata entry.
pub(super) fn write(params: &Params<f32>, header: String) -> Result<Vec<u8>> {
    let broken = |error: safetensors::SafeTensorError| Error::checkpoint(error);
    let bytes: Vec<u8> = params.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensors = params
        .layout()
        .names()
        .iter()
        .map(|named| {
            let range = named.range();
            let data = &bytes[range.start * size_of::<f32>()..range.end * size_of::<f32>()];
            Ok((named.name.as_str(), TensorView::new(Dtype::F32, named.shape.clone(), data).map_err(broken)?))
        })
        .collect::<Result<Vec<_>>>()?;
    safetensors::serialize(tensors, Some(HashMap::from([(KEY.to_owned(), header)]))).map_err(broken)
}

/// The length of the header that a file claims, if one follows.
fn header_length(bytes: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    (bytes.get(8) == Some(&b'{')).then_some(length)
}

/// Whether bytes begin as safetensors do.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| length <= bytes.len() as u64)
}

/// The tensors of a file, and our metadata if it is there.
pub(super) fn read(bytes: &[u8]) -> Result<(StateDict, Option<String>)> {
    let broken = |error: safetensors::SafeTensorError| Error::checkpoint(format_args!("as safetensors: {error}"));
    if bytes.is_empty() {
        return Err(Error::checkpoint("the file is empty"));
    }
    match header_length(bytes) {
        None => return Err(Error::checkpoint("neither safetensors nor a PyTorch file")),
        Some(length) if length > LONGEST_HEADER => {
            return Err(Error::invalid("header", format!("at most {LONGEST_HEADER} bytes"), length));
        }
        Some(_) => {}
    }
    let header = header::find(bytes, KEY).map_err(broken)?;
    let mut state_dict = StateDict::default();
    for (name, view) in SafeTensors::deserialize(bytes).map_err(broken)?.iter() {
        let values = match view.dtype() {
            Dtype::F32 => Values::Float(floats(view.data(), f32::from_le_bytes)),
            Dtype::F64 => Values::Float(floats(view.data(), |bytes| f64::from_le_bytes(bytes) as f32)),
            Dtype::BOOL => Values::Bool(view.data().iter().map(|byte| *byte != 0).collect()),
            other => Values::Other(format!("{other:?}")),
        };
        state_dict.insert(name.to_owned(), Tensor { shape: view.shape().to_vec(), values });
    }
    Ok((state_dict, header))
}

/// Numbers of `N` bytes each.
pub(super) fn floats<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks().0.iter().map(|chunk| number(*chunk)).collect()
}
