//! PyTorch state dicts (`torch.save(model.state_dict(), …)`).

use super::{
    pickle,
    safetensors::floats,
    state_dict::{StateDict, Tensor, Values},
};
use crate::{Error, Result};
use pytorch_reader::{DType, PytorchReader};
use std::io::{Cursor, Read};
use zip::{CompressionMethod, ZipArchive};

/// The tensors of a `.pt` file. The pickle is interpreted, never executed: it can name tensors and nothing else.
pub(super) fn read(bytes: Vec<u8>) -> Result<StateDict> {
    if bytes.starts_with(b"PK") {
        check_zip(&bytes)?;
    } else {
        pickle::check_legacy(&bytes)?;
        if bytes.get(257..262) == Some(b"ustar") {
            return Err(Error::checkpoint("a tar archive"));
        }
    }
    // Views may share storage, but not much of it.
    let most = bytes.len().saturating_mul(4);
    let reader = PytorchReader::from_bytes(bytes, None).map_err(broken)?;
    let mut state_dict = StateDict::default();
    let mut claimed: usize = 0;
    for (name, tensor) in reader.into_tensors() {
        // A view may claim any size; what it claims is checked before anything of that size is made.
        claimed = claimed.saturating_add(tensor.byte_len());
        if claimed > most {
            return Err(broken(format_args!("{name} claims more bytes than the file can hold")));
        }
        let bytes = || tensor.read().map_err(broken);
        let values = match tensor.dtype() {
            DType::F32 => Values::Float(floats(&bytes()?, f32::from_ne_bytes)),
            DType::F64 => Values::Float(floats(&bytes()?, |bytes| f64::from_ne_bytes(bytes) as f32)),
            DType::Bool => Values::Bool(bytes()?.iter().map(|byte| *byte != 0).collect()),
            other => Values::Other(format!("{other:?}")),
        };
        state_dict.insert(name, Tensor { shape: tensor.shape().to_vec(), values });
    }
    Ok(state_dict)
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::checkpoint(format_args!("as a PyTorch file: {error}"))
}

/// Whether a zip archive is of the kind that `torch.save` writes: few entries, none of them compressed (so none can be
/// larger than the file), and a pickle of a state dict.
fn check_zip(bytes: &[u8]) -> Result<()> {
    // Every entry of the directory, and every place where the directory may be said to be, has a signature; more of them
    // than a toy model needs are not even parsed.
    for (signature, most) in [(b"PK\x01\x02", 20_000), (b"PK\x05\x06", 16)] {
        if bytes.windows(signature.len()).filter(|window| window == signature).count() > most {
            return Err(broken(format_args!("more than {most} entries in its zip archive's directory")));
        }
    }
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(broken)?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index_raw(index).map_err(broken)?;
        let name = entry.name().map_err(broken)?.into_owned();
        if entry.compression() != CompressionMethod::Stored || entry.size() != entry.compressed_size() {
            return Err(broken(format_args!("{name} is compressed, which torch.save never does")));
        }
        if name.ends_with("data.pkl") {
            let mut pickled = Vec::new();
            // One byte more than may be there tells a long pickle.
            (&mut entry).take(pickle::LONGEST as u64 + 1).read_to_end(&mut pickled).map_err(broken)?;
            pickle::check(&pickled)?;
        }
    }
    Ok(())
}
