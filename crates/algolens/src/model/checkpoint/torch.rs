//! PyTorch state dicts (`torch.save(model.state_dict(), …)`).

use super::{
    safetensors::floats,
    state_dict::{StateDict, Tensor, Values},
};
use crate::{Error, Result};
use pytorch_reader::{DType, PytorchReader};
use std::io::Cursor;
use zip::ZipArchive;

/// A file's tensors may be this many times as large as the file: views share storage, but not much of it.
const MOST_UNPACKED: usize = 4;

/// The tensors of a `.pt` file. The pickle is interpreted, never executed: it can name tensors and nothing else.
///
/// What a file claims to hold is checked before anything of that size is made: PyTorch does not compress, so neither an
/// archive nor its tensors are much larger than the file.
pub(super) fn read(bytes: Vec<u8>) -> Result<StateDict> {
    let broken = |error: &dyn std::fmt::Display| Error::Checkpoint(format!("as a PyTorch file: {}", one_line(error)));
    let most = bytes.len().saturating_mul(MOST_UNPACKED);
    let unpacked = ZipArchive::new(Cursor::new(&bytes)).ok().and_then(|archive| archive.decompressed_size());
    if unpacked.is_some_and(|size| size > most as u128) {
        return Err(broken(&format!("a zip archive of {} bytes that unpacks to more than {most}", bytes.len())));
    }
    let reader = PytorchReader::from_bytes(bytes, None).map_err(|error| broken(&error))?;
    let mut state_dict = StateDict::default();
    let mut claimed: usize = 0;
    for (name, tensor) in reader.into_tensors() {
        claimed = claimed.saturating_add(tensor.byte_len());
        if claimed > most {
            return Err(broken(&format!(
                "its tensors claim more than {most} bytes, of which {name:?} {}",
                tensor.byte_len()
            )));
        }
        let bytes = tensor.read().map_err(|error| broken(&error))?;
        let values = match tensor.dtype() {
            DType::F32 => Values::Float(floats(&bytes, f32::from_ne_bytes)),
            DType::F64 => Values::Float(floats(&bytes, |bytes| f64::from_ne_bytes(bytes) as f32)),
            DType::Bool => Values::Bool(bytes.iter().map(|byte| *byte != 0).collect()),
            other => Values::Other(format!("{other:?}")),
        };
        state_dict.insert(name, Tensor { shape: tensor.shape().to_vec(), values });
    }
    Ok(state_dict)
}

fn one_line(message: &dyn std::fmt::Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
