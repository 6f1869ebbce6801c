//! What the fuzz targets share: how a reader is run, what must hold of what it says, and files made of a few bytes, so that
//! lengths and checksums are right whatever the fuzzer changes.

mod arrays;
mod header;
mod pickled;

pub use arrays::{Arrays, npy};
pub use header::Header;
pub use pickled::Pickled;

use algolens_core::{
    Error, Result,
    model::checkpoint::{Checkpoint, Contents, Hints, Layout, Loaded, Settings, Tensor},
};
use serde_json::{Map, Value};

/// Reads a checkpoint of any kind, and answers what is asked of the user until it is read or refused.
///
/// # Panics
/// Where something does not hold that must.
pub fn checkpoint(bytes: &[u8]) {
    if let Ok(contents) = Contents::from_bytes(bytes.to_vec())
        && let Some(chosen) = checked(contents.choose(None))
    {
        chosen.tensors.values().for_each(|tensor| numbers(tensor));
    }
    let (mut hints, mut said) = (Hints::default(), Map::new());
    let choice = bytes.iter().rev().take(64).fold(0_usize, |sum, byte| sum + usize::from(*byte));
    // Each round answers another question.
    for _ in 0..8 {
        match Checkpoint::from_bytes(bytes.to_vec(), &hints) {
            Err(Error::NotDetermined { key, choices, .. }) if !said.contains_key(key) => {
                let answer = match key {
                    "n_ctx" | "n_heads" => Value::from(1 + choice % 8),
                    _ => choices[choice % choices.len()].into(),
                };
                said.insert(key.to_owned(), answer);
                hints.said = Settings::from_config(&said).expect("a choice that was offered is one");
            }
            Err(Error::SeveralStateDicts { choices }) if hints.key.is_none() => {
                let key = choices[choice % choices.len()].rsplit_once(" (").map_or("", |(key, _)| key);
                hints.key = Some(if key == "(the top)" { String::new() } else { key.to_owned() });
            }
            Err(Error::SeveralLayouts { choices }) if hints.layout.is_none() => {
                hints.layout = Some(Layout::named(&choices[choice % choices.len()]).expect("a layout that was offered"));
            }
            // What is no weight may be ignored, if something is.
            Err(Error::Invalid { what, .. }) if what == "checkpoint" && hints.ignore.is_empty() => {
                hints.ignore.push("*".to_owned());
            }
            outcome => {
                if let Some(loaded) = checked(outcome) {
                    comes_back(&loaded);
                }
                return;
            }
        }
    }
}

/// What was read; an error is one line.
///
/// # Panics
/// At an error of none or several lines.
pub fn checked<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let said = error.to_string();
            assert!(said.lines().count() == 1 && said.chars().count() < 2000, "{said:?}");
            None
        }
    }
}

/// Every element of a tensor is there.
fn numbers(tensor: &Tensor) {
    const MOST: usize = 1 << 16;
    if tensor.len() <= MOST {
        let counts = [
            tensor.floats::<f32>().map(|floats| floats.len()),
            tensor.integers().map(|integers| integers.len()),
            tensor.bools().map(|bools| bools.len()),
        ];
        assert!(counts.iter().flatten().all(|count| *count == tensor.len()), "{tensor:?}");
    }
}

/// A model that was read is valid, and is the same when it is written and read again.
fn comes_back(loaded: &Loaded) {
    let Loaded { checkpoint, .. } = loaded;
    checkpoint.model.config().validate().expect("what was read is a model");
    assert!(checkpoint.model.params.values().iter().all(|weight| weight.is_finite()));
    let bytes = checkpoint.to_bytes().expect("what was read can be written");
    let again = Checkpoint::from_bytes(bytes.clone(), &Hints::default()).expect("what was written can be read");
    assert!(again.checkpoint == *checkpoint && again.notes.is_empty() && again.passed_over.is_empty());
    assert!(again.checkpoint.to_bytes().expect("as before") == bytes);
}

/// A file of these bytes, which is gone with the value.
///
/// # Panics
/// Where none can be written.
pub fn in_file(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a folder for files");
    std::io::Write::write_all(&mut file, bytes).expect("room for it");
    file
}

/// [`in_file`], with the ending of TOML.
///
/// # Panics
/// Where none can be written.
pub fn in_toml(bytes: &[u8]) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().expect("a folder for files");
    std::io::Write::write_all(&mut file, bytes).expect("room for it");
    file
}
