//! Safetensors, written and read.

use super::{
    bytes::Bytes,
    json,
    limits::{Budget, LONGEST_HEADER},
    tensor::{Dtype, Storage, Tensor},
    value::Value,
};
use crate::{Error, Result, model::Params};
use safetensors::{SafeTensorError, SafeTensors, tensor::TensorView};
use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

/// A file with these weights and one metadata entry.
pub(in super::super) fn write(params: &Params<f32>, key: &str, header: String) -> Result<Vec<u8>> {
    let bytes: Vec<u8> = params.values().iter().flat_map(|value| value.to_le_bytes()).collect();
    let tensors = params
        .layout()
        .names()
        .iter()
        .map(|named| {
            let range = named.range();
            let data = &bytes[range.start * size_of::<f32>()..range.end * size_of::<f32>()];
            let view = TensorView::new(safetensors::Dtype::F32, named.shape.clone(), data);
            Ok((named.name.as_str(), view.map_err(Error::checkpoint)?))
        })
        .collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(key.to_owned(), header)]);
    safetensors::serialize(tensors, Some(metadata)).map_err(Error::checkpoint)
}

/// The length of the header that a file claims, if one follows.
fn header_length(bytes: &[u8]) -> Option<u64> {
    let length = u64::from_le_bytes(*bytes.first_chunk()?);
    (bytes.get(8) == Some(&b'{')).then_some(length)
}

/// Whether bytes begin as safetensors do, and are long enough for the header.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    header_length(bytes).is_some_and(|length| length <= bytes.len() as u64)
}

/// Whether bytes may be the beginning of safetensors.
pub(super) fn may_begin(bytes: &[u8]) -> bool {
    header_length(bytes).is_some()
}

/// The tensors of a file, and its metadata.
pub(super) fn read(bytes: &Bytes, budget: &mut Budget) -> Result<(Value, BTreeMap<String, String>)> {
    let broken = |error: SafeTensorError| Error::checkpoint(format_args!("as safetensors: {error}"));
    let length = header_length(bytes).unwrap_or_default();
    if length > LONGEST_HEADER {
        return Err(Error::invalid("header", format!("at most {LONGEST_HEADER} bytes"), length));
    }
    // The crate keeps one of two tensors of a name, and does not say so.
    if let Some(header) = usize::try_from(length).ok().and_then(|length| bytes.get(8..8 + length)) {
        let wrong = |error| Error::checkpoint(format_args!("as safetensors: its header: {error}"));
        json::parse(header).map_err(wrong)?;
    }
    let (length, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let mut entries = Vec::new();
    for name in header.offset_keys() {
        let info = header.info(&name).expect("it is one of the header's names");
        let dtype = dtype(info.dtype)
            .ok_or_else(|| Error::invalid(&name, "a type of whole bytes", format!("{:?}", info.dtype)))?;
        let start = 8 + length;
        let (from, to) = info.data_offsets;
        let data =
            bytes.part(start + from..start + to).ok_or_else(|| broken(SafeTensorError::MetadataIncompleteBuffer))?;
        budget.claim(data.len(), &name)?;
        let wrong = |(expected, found): (String, String)| Error::invalid(&name, expected, found);
        let tensor = Tensor::dense(Storage::new(data, dtype), info.shape.clone()).map_err(wrong)?;
        entries.push((Value::text(&name), Value::Tensor(Arc::new(tensor))));
    }
    let metadata = header.metadata().iter().flatten().map(|(key, text)| (key.clone(), text.clone()));
    Ok((Value::dict(entries), metadata.collect()))
}

/// A type of theirs as ours; none where a number is no whole bytes.
fn dtype(theirs: safetensors::Dtype) -> Option<Dtype> {
    use safetensors::Dtype as Theirs;
    Some(match theirs {
        Theirs::BOOL => Dtype::Bool,
        Theirs::U8 => Dtype::UInt8,
        Theirs::I8 => Dtype::Int8,
        Theirs::I16 => Dtype::Int16,
        Theirs::U16 => Dtype::UInt16,
        Theirs::F16 => Dtype::Float16,
        Theirs::BF16 => Dtype::BFloat16,
        Theirs::I32 => Dtype::Int32,
        Theirs::U32 => Dtype::UInt32,
        Theirs::F32 => Dtype::Float32,
        Theirs::C64 => Dtype::Complex64,
        Theirs::F64 => Dtype::Float64,
        Theirs::I64 => Dtype::Int64,
        Theirs::U64 => Dtype::UInt64,
        other if other.bitsize() == 8 => Dtype::Float8,
        _ => return None,
    })
}
