//! Reading and writing files: whole or not at all.

use crate::{
    Error, Result,
    model::checkpoint::{Checkpoint, Hints, Loaded},
};
use std::{
    fs::File,
    io::{self, Read, Write},
    path::Path,
};
use tempfile::NamedTempFile;

/// No checkpoint or training state of a toy model is larger, in bytes.
const LARGEST: u64 = 512 << 20;

/// The bytes of a file.
///
/// # Errors
/// [`Error::File`] if it cannot be read, or is too large to be a toy model's.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let failed = |source| Error::File { path: path.into(), source };
    let file = File::open(path).map_err(failed)?;
    let claimed = file.metadata().map_err(failed)?.len();
    let mut bytes = Vec::new();
    if claimed <= LARGEST {
        // A device or a pipe may give more than it claims.
        bytes.reserve_exact(usize::try_from(claimed).unwrap_or(0));
        file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    }
    let found = claimed.max(bytes.len() as u64);
    if found > LARGEST {
        let too_large = format!("too large: more than {LARGEST} bytes");
        return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, too_large)));
    }
    Ok(bytes)
}

/// Writes a file whole: under a temporary name beside it, synced, then renamed. What stood there is replaced only by the
/// whole of the new.
///
/// # Errors
/// [`Error::File`]; then nothing is left behind and nothing was replaced.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write_all_whole(&[(path, bytes)])
}

/// Writes files whole, and none before all of them are on the disk under temporary names.
///
/// # Errors
/// [`Error::File`]; unless renaming fails after writing worked, nothing was replaced.
pub fn write_all_whole<P: AsRef<Path>>(files: &[(P, &[u8])]) -> Result<()> {
    let in_file = |path: &Path, source: io::Error| Error::File { path: path.into(), source };
    let staged = files
        .iter()
        .map(|(path, bytes)| stage(path.as_ref(), bytes).map_err(|source| in_file(path.as_ref(), source)))
        .collect::<Result<Vec<_>>>()?;
    for (file, (path, _)) in staged.into_iter().zip(files) {
        file.persist(path).map_err(|error| in_file(path.as_ref(), error.error))?;
    }
    Ok(())
}

/// Whether files can be written into a folder.
///
/// # Errors
/// [`Error::File`] if not.
pub fn check_writable(folder: &Path) -> Result<()> {
    stage(&folder.join("file"), &[]).map(drop).map_err(|source| Error::File { path: folder.into(), source })
}

/// The bytes in a temporary file beside `path`, on the disk.
fn stage(path: &Path, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display())));
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(".algolens-");
    #[cfg(unix)]
    builder.permissions(readable_by_all());
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// As any new file's, not the private ones of a temporary file; the umask applies.
#[cfg(unix)]
fn readable_by_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

impl Checkpoint {
    /// Reads a checkpoint of any kind.
    ///
    /// # Errors
    /// [`Error::File`], and those of [`Checkpoint::from_bytes`] as [`Error::InFile`].
    pub fn open(path: &Path, hints: &Hints) -> Result<Loaded> {
        Self::from_bytes(read(path)?, hints)
            .map_err(|error| Error::InFile { path: path.into(), error: Box::new(error) })
    }

    /// Writes the checkpoint whole.
    ///
    /// # Errors
    /// [`Error::File`], and those of [`Checkpoint::to_bytes`].
    pub fn save(&self, path: &Path) -> Result<()> {
        write_whole(path, &self.to_bytes()?)
    }
}
