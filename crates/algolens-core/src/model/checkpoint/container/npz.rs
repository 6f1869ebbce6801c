//! Arrays by name as NumPy writes them (`.npz`).

use super::{archive::Archive, limits::Budget, npy, value::Value};
use crate::{Error, Result};

/// Whether an archive's files are arrays.
pub(super) fn recognizes(archive: &Archive) -> bool {
    !archive.names().is_empty() && archive.names().iter().all(|name| name.ends_with(".npy"))
}

/// The arrays of an archive.
pub(super) fn read(archive: &mut Archive, budget: &mut Budget) -> Result<Value> {
    let mut entries = Vec::new();
    for file in archive.names().to_vec() {
        let name = file.strip_suffix(".npy").unwrap_or(&file);
        let contents = archive.contents(&file, budget)?;
        let wrong = |(expected, found): (String, String)| Error::invalid(name, expected, found);
        entries.push((Value::text(name), npy::read(&contents).map_err(wrong)?));
    }
    Ok(Value::dict(entries))
}
