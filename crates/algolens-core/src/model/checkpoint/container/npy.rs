//! Arrays as NumPy writes them (`.npy`), and NumPy's names of types.

use super::{
    bytes::Bytes,
    tensor::{Dtype, Order, Storage, Tensor, strides_of},
    value::Value,
};
use std::sync::Arc;

/// What a `.npy` file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// NumPy's name of a type (`<f4`, `|b1`) as ours; none for what is no number.
pub(super) fn dtype(name: &str) -> Option<(Dtype, Order)> {
    let order = if name.starts_with('>') { Order::Big } else { Order::Little };
    let dtype = match name.strip_prefix(['<', '>', '|', '=']).unwrap_or(name) {
        "?" | "b1" => Dtype::Bool,
        "i1" => Dtype::Int8,
        "i2" => Dtype::Int16,
        "i4" => Dtype::Int32,
        "i8" => Dtype::Int64,
        "u1" => Dtype::UInt8,
        "u2" => Dtype::UInt16,
        "u4" => Dtype::UInt32,
        "u8" => Dtype::UInt64,
        "f2" => Dtype::Float16,
        "f4" => Dtype::Float32,
        "f8" => Dtype::Float64,
        "c8" => Dtype::Complex64,
        "c16" => Dtype::Complex128,
        _ => return None,
    };
    Some((dtype, order))
}

/// The array of a file; of one that has no numbers (texts, objects), its type.
///
/// # Errors
/// What is wrong with it: what was expected, and what was found.
pub(super) fn read(bytes: &Bytes) -> Result<Value, (String, String)> {
    let wrong = |expected: &str, found: &str| (expected.to_owned(), found.to_owned());
    let is_npy = || wrong("an array as numpy.save writes it", "something else, or only its beginning");
    let version = *bytes.strip_prefix(MAGIC).and_then(|rest| rest.first()).ok_or_else(is_npy)?;
    let (length, start) = match version {
        1 => (bytes.get(8..10).map(|length| usize::from(length[0]) | usize::from(length[1]) << 8), 10),
        2 | 3 => {
            let length = bytes.get(8..12).and_then(|length| length.first_chunk());
            (length.map(|length| u32::from_le_bytes(*length) as usize), 12)
        }
        _ => return Err(wrong("format 1 to 3 of .npy", &version.to_string())),
    };
    let end = length.and_then(|length| length.checked_add(start)).ok_or_else(is_npy)?;
    let header = bytes.get(start..end).ok_or_else(is_npy)?;
    let header = std::str::from_utf8(header).map_err(|_| is_npy())?;
    let unclear = || wrong("a header with descr, fortran_order and shape", header);
    let of = |key: &str| {
        let (_, rest) = header.split_once(&format!("'{key}':"))?;
        Some(rest.trim_start())
    };
    let name = of("descr").ok_or_else(unclear)?;
    let name = name.strip_prefix('\'').and_then(|rest| rest.split('\'').next()).unwrap_or(name);
    let Some((dtype, order)) = dtype(name) else {
        return Ok(Value::Name(format!("a NumPy array of type {name}").into()));
    };
    let in_columns = of("fortran_order").ok_or_else(unclear)?.starts_with("True");
    let shape = of("shape").and_then(|rest| rest.strip_prefix('(')?.split(')').next()).ok_or_else(unclear)?;
    let sizes = shape.split(',').map(str::trim).filter(|size| !size.is_empty());
    let shape: Vec<usize> = sizes.map(|size| size.parse().map_err(|_| unclear())).collect::<Result<_, _>>()?;
    let data = bytes.part(end..bytes.len()).ok_or_else(is_npy)?;
    let strides = strides_of(&shape, in_columns);
    let tensor = Tensor::new(Storage { bytes: data, dtype, order }, 0, shape, strides)?;
    Ok(Value::Tensor(Arc::new(tensor)))
}
