//! Headers of our own safetensors files: one metadata key that holds JSON, which begins with the number of its format.

use crate::{Error, Result};
use safetensors::{SafeTensorError, SafeTensors};
use serde::{Deserialize, de::DeserializeOwned};

/// The header that a file has under a key; none where it has no such key.
pub(crate) fn find(bytes: &[u8], key: &str) -> Result<Option<String>, SafeTensorError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes)?;
    Ok(metadata.metadata().as_ref().and_then(|entries| entries.get(key)).cloned())
}

/// A header, after a look at its format alone: another format may have other keys.
///
/// # Errors
/// Another format than this, in the name of `what`; JSON that `broken` puts into words.
pub(crate) fn read<H: DeserializeOwned>(
    json: &str,
    format: u32,
    what: &str,
    broken: impl Fn(serde_json::Error) -> Error,
) -> Result<H> {
    #[derive(Deserialize)]
    struct Format {
        format: u32,
    }
    let found: Format = serde_json::from_str(json).map_err(&broken)?;
    if found.format != format {
        return Err(Error::invalid(what, format!("format {format}"), format!("format {}", found.format)));
    }
    serde_json::from_str(json).map_err(broken)
}
