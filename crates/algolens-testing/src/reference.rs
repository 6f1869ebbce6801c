//! Weights that other people trained, and the numbers they must give.

use std::path::{Path, PathBuf};

/// A file or folder of the reference: below the folder that the variable `ALGOLENS_REFERENCE` names, or below
/// `shared/reference` beside the checkout. None, and a line that begins with `skipped:`, where the variable is not set and
/// that folder is not there.
///
/// # Panics
/// If the reference is there, or said to be, but not the file.
pub fn reference(path: &str) -> Option<PathBuf> {
    let named = std::env::var_os("ALGOLENS_REFERENCE").map(PathBuf::from);
    let beside = || {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/reference"));
        folder.is_dir().then(|| folder.to_owned())
    };
    let Some(folder) = named.or_else(beside) else {
        println!("skipped: {path} needs the reference weights (ALGOLENS_REFERENCE)");
        return None;
    };
    let found = folder.join(path);
    assert!(found.exists(), "the reference has no {}", found.display());
    Some(found)
}
