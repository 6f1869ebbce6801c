//! Reading and writing files: whole or not at all, and by one process at a time.

use crate::{
    Error, Result,
    model::checkpoint::{Checkpoint, Contents, Hints, Loaded, OfTask, Settings},
    task::{Registry, TaskSpec},
};
use std::{
    ffi::OsString,
    fs::{File, TryLockError},
    io::{self, Read, Write},
    path::{Path, PathBuf},
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
    let folder = folder(path)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(".algolens-");
    #[cfg(unix)]
    builder.permissions(readable_by_all());
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// The folder of a file, which is there.
fn folder(path: &Path) -> io::Result<&Path> {
    let folder = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no folder {}", folder.display())))
}

/// As any new file's, not the private ones of a temporary file; the umask applies.
#[cfg(unix)]
fn readable_by_all() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

/// The lock of a file: one process at a time has it. It ends with the value, or with the process however that ends.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    _locked: File,
}

impl Lock {
    /// Takes the lock of a file, which need not be there: an empty file beside it, `FILE.lock`, is locked.
    ///
    /// # Errors
    /// [`Error::File`] if another process has the lock, or if its file cannot be made.
    pub fn take(path: &Path) -> Result<Self> {
        let failed = |source| Error::File { path: path.into(), source };
        folder(path).map_err(failed)?;
        let mut name = OsString::from(path);
        name.push(".lock");
        let lock = PathBuf::from(name);
        let in_lock = |source| Error::File { path: lock.clone(), source };
        loop {
            let file = File::options().create(true).truncate(false).write(true).open(&lock).map_err(in_lock)?;
            match file.try_lock() {
                Err(TryLockError::WouldBlock) => {
                    let busy = io::Error::new(io::ErrorKind::ResourceBusy, "another process is at work on it");
                    return Err(failed(busy));
                }
                // Where no file can be locked, work is not kept from going on.
                Err(TryLockError::Error(error)) if error.kind() != io::ErrorKind::Unsupported => {
                    return Err(in_lock(error));
                }
                _ => {}
            }
            // Who had the lock may have removed its file in between; then others would lock a new one.
            if stands_at(&file, &lock).map_err(in_lock)? {
                return Ok(Self { path: lock, _locked: file });
            }
        }
    }
}

impl Drop for Lock {
    /// Removes the lock's file. One that is left, by a crash, is harmless: nobody has it locked.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Whether an open file is the one that stands at a path.
#[cfg(unix)]
fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let opened = file.metadata()?;
    match std::fs::metadata(path) {
        Ok(there) => Ok((opened.dev(), opened.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether an open file is the one that stands at a path; where that cannot be asked, whether one stands there.
#[cfg(not(unix))]
fn stands_at(_: &File, path: &Path) -> io::Result<bool> {
    path.try_exists()
}

impl Hints {
    /// What is said of the model in a file, with what else is known of it: what models of its task have, by the tasks of a
    /// registry; and, where no config is given, a [`config_beside`] it, whose path is returned too.
    ///
    /// # Errors
    /// As [`config_beside`].
    pub fn for_file(
        mut self,
        path: &Path,
        registry: &Registry,
        task: Option<&TaskSpec>,
    ) -> Result<(Self, Option<PathBuf>)> {
        let (registry, task) = (registry.clone(), task.cloned());
        self.task = OfTask::new(move |config| registry.settings(config, task.as_ref()));
        if self.config != Settings::default() {
            return Ok((self, None));
        }
        let (beside, config) = config_beside(path)?.unzip();
        self.config = config.unwrap_or_default();
        Ok((self, beside))
    }
}

/// The `config.json` in the folder of a model's file, if it says how large a model is; none for a file of our own,
/// which says all itself.
///
/// # Errors
/// A file that cannot be read, or that says what no model can be that is read.
pub fn config_beside(model: &Path) -> Result<Option<(PathBuf, Settings)>> {
    let path = model.with_file_name("config.json");
    if path == model || !path.is_file() {
        return Ok(None);
    }
    // Many programs have a file of that name.
    let Ok(config) = serde_json::from_slice(&read(&path)?) else { return Ok(None) };
    if !Settings::speak_of(&config) || Contents::from_bytes(read(model)?).is_ok_and(|contents| contents.is_own()) {
        return Ok(None);
    }
    match Settings::from_config(&config) {
        Ok(settings) => Ok(Some((path, settings))),
        Err(error) => Err(Error::InFile { path, error: Box::new(error) }),
    }
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

impl Checkpoint<f64> {
    /// Reads a checkpoint of any kind in double precision.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_in_f64(path: &Path, hints: &Hints) -> Result<Loaded<f64>> {
        Self::from_bytes_in_f64(read(path)?, hints)
            .map_err(|error| Error::InFile { path: path.into(), error: Box::new(error) })
    }
}
