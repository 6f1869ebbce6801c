//! Zip archives, as far as checkpoints need them.

use super::{
    bytes::Bytes,
    limits::{Budget, MOST_ENTRIES},
};
use crate::{Error, Result};
use std::{
    collections::HashMap,
    io::{Cursor, Read},
};
use zip::{
    CompressionMethod, ZipArchive,
    read::{ArchiveOffset, Config},
};

/// The files of a zip archive by name.
pub(super) struct Archive {
    bytes: Bytes,
    zip: ZipArchive<Cursor<Bytes>>,
    index: HashMap<String, usize>,
    names: Vec<String>,
}

impl Archive {
    /// The archive in these bytes.
    pub fn open(bytes: &Bytes) -> Result<Self> {
        // Every entry of the directory, and every place where the directory may be said to be, has a signature; more of
        // them than may be are not even parsed.
        for (signature, most) in [(b"PK\x01\x02", MOST_ENTRIES), (b"PK\x05\x06", 16)] {
            if bytes.windows(signature.len()).filter(|window| window == signature).count() > most {
                return Err(broken(format_args!("more than {most} entries in its directory")));
            }
        }
        // Nothing stands before an archive that is a file of its own. Left to guess, the crate counts the directory's size
        // back from its end record; PyTorch puts 76 bytes between the two, so that it lands on the second entry where the
        // first takes as many, and that is where the folder's name has 21 characters.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, Cursor::new(bytes.clone()))
            .map_err(|error| broken(format_args!("it is truncated or damaged ({error}): get it again")))?;
        if zip.has_duplicate_names() {
            return Err(broken("two of its files have one name"));
        }
        let mut names = Vec::with_capacity(zip.len());
        for name in zip.file_names() {
            names.push(name.map_err(broken)?.into_owned());
        }
        let index = names.iter().cloned().enumerate().map(|(index, name)| (name, index)).collect();
        Ok(Self { bytes: bytes.clone(), zip, index, names })
    }

    /// The names of the files, in the order of the directory.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The bytes of the archive.
    pub fn byte_len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there is a file of this name.
    pub fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// A file that is stored as it is, as a part of the archive; refused if it is compressed.
    pub fn stored(&mut self, name: &str) -> Result<Bytes> {
        let index = *self.index.get(name).ok_or_else(|| broken(format_args!("it has no file {name}")))?;
        let entry = self.zip.by_index_raw(index).map_err(broken)?;
        if entry.encrypted() {
            return Err(broken(format_args!("{name} is encrypted")));
        }
        if entry.compression() != CompressionMethod::Stored || entry.size() != entry.compressed_size() {
            return Err(broken(format_args!("{name} is compressed, which torch.save never does")));
        }
        let range = entry.data_start().and_then(|start| {
            let start = usize::try_from(start).ok()?;
            Some(start..start.checked_add(usize::try_from(entry.size()).ok()?)?)
        });
        range
            .and_then(|range| self.bytes.part(range))
            .ok_or_else(|| broken(format_args!("{name} goes on after the end of the file: it is truncated or damaged")))
    }

    /// Whether the bytes of a stored file have the checksum that the archive states.
    pub fn is_intact(&mut self, name: &str) -> bool {
        let Some(index) = self.index.get(name) else { return false };
        self.zip.by_index(*index).is_ok_and(|mut entry| std::io::copy(&mut entry, &mut std::io::sink()).is_ok())
    }

    /// The contents of a file, stored or deflated.
    pub fn contents(&mut self, name: &str, budget: &mut Budget) -> Result<Bytes> {
        let index = *self.index.get(name).ok_or_else(|| broken(format_args!("it has no file {name}")))?;
        let entry = self.zip.by_index(index).map_err(broken)?;
        // What a file claims to hold may be a lie in either direction.
        let size = usize::try_from(entry.size()).unwrap_or(usize::MAX);
        budget.claim(size, name)?;
        let mut contents = Vec::new();
        let mut limited = entry.take((size as u64).saturating_add(1));
        limited.read_to_end(&mut contents).map_err(|error| broken(format_args!("{name}: {error}")))?;
        if contents.len() != size {
            return Err(broken(format_args!("{name} holds another number of bytes than it claims, {size}")));
        }
        Ok(contents.into())
    }
}

/// What is wrong with an archive.
pub(super) fn broken(error: impl std::fmt::Display) -> Error {
    Error::checkpoint(format_args!("as a zip archive: {error}"))
}
