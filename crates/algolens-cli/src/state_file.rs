//! How far the work on a result has come: a file beside it.

use algolens::{
    Error, Result,
    files::{read, write_whole},
};
use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

/// The file `OUT.state`, from which interrupted work on OUT goes on.
pub struct StateFile(PathBuf);

impl StateFile {
    /// The state beside a result's file.
    ///
    /// # Errors
    /// A path that cannot be a file's.
    pub fn beside(out: &Path) -> Result<Self> {
        let (Some(name), false) = (out.file_name(), out.is_dir()) else {
            return Err(Error::invalid("--out", "a file", out.display()));
        };
        let mut state = OsString::from(name);
        state.push(".state");
        Ok(Self(out.with_file_name(state)))
    }

    /// Where it stands.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it holds, if it is there.
    pub fn read(&self) -> Result<Option<Vec<u8>>> {
        match read(&self.0) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces what it holds.
    pub fn write(&self, bytes: &[u8]) -> Result<()> {
        write_whole(&self.0, bytes)
    }

    /// An error about what it holds.
    pub fn error(&self, error: Error) -> Error {
        Error::InFile { path: self.0.clone(), error: Box::new(error) }
    }
}
