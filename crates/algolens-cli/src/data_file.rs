//! Data that a user brings: NumPy's `.npz`.

use crate::{load::Opened, npy};
use algolens::{
    Error, Result, files,
    model::Config,
    task::{Dataset, Task, Token, check_vocabulary},
};
use ndarray::{Array1, Array2, ArrayD, Axis, Ix1, Ix2};
use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    path::Path,
};
use zip::ZipArchive;

/// The arrays that a file may have.
const NAMES: [&str; 4] = ["tokens", "targets", "positions", "labels"];
/// The most bytes of one array.
const MOST_BYTES: u64 = 1 << 28;

/// The data of a file, for a model: `tokens [example, pos]`; `targets [example, predicted position]`, which may be left out
/// where they follow from the model's task; `positions`, which may be left out where every position is predicted; `labels`,
/// what each token is called.
///
/// # Errors
/// Arrays that are missing, unknown, misshapen or not the model's.
pub fn read(path: &Path, opened: &Opened) -> Result<Dataset> {
    let in_file = |error| Error::InFile { path: path.into(), error: Box::new(error) };
    let arrays = arrays(files::read(path)?).map_err(in_file)?;
    let task = if arrays.contains_key("targets") { None } else { Some(opened.task()?) };
    dataset(&arrays, opened.model.config(), task.as_deref()).map_err(in_file)
}

/// The arrays of a `.npz` file as `.npy` files, by name.
fn arrays(bytes: Vec<u8>) -> Result<BTreeMap<String, Vec<u8>>> {
    let unreadable = |error: &dyn std::fmt::Display| Error::invalid("data", "NumPy's .npz", error);
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
    let mut arrays = BTreeMap::new();
    for at in 0..archive.len() {
        let file = archive.by_index(at).map_err(|error| unreadable(&error))?;
        let name = file.name().map_err(|error| unreadable(&error))?;
        let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
        if !NAMES.contains(&name.as_str()) {
            return Err(Error::invalid("an array of the data", NAMES.join(", "), name));
        }
        let mut array = Vec::new();
        let read = file.take(MOST_BYTES + 1).read_to_end(&mut array).map_err(|error| unreadable(&error))?;
        if read as u64 > MOST_BYTES {
            return Err(Error::invalid(name, format!("at most {MOST_BYTES} bytes"), "more"));
        }
        if arrays.contains_key(&name) {
            return Err(Error::invalid(name, "one array of the data", "two"));
        }
        arrays.insert(name, array);
    }
    Ok(arrays)
}

/// The data of these arrays; without targets those of the task.
fn dataset(arrays: &BTreeMap<String, Vec<u8>>, config: &Config, task: Option<&dyn Task>) -> Result<Dataset> {
    let numbers = |name: &str| arrays.get(name).map(|bytes| npy::numbers(bytes, name)).transpose();
    let tokens = numbers("tokens")?.ok_or_else(|| Error::invalid("tokens", "an array [example, pos]", "none"))?;
    let tokens = matrix("tokens", tokens)?;
    if tokens.is_empty() || tokens.ncols() > config.n_ctx {
        let found = format!("shape {:?}", tokens.shape());
        return Err(Error::invalid("tokens", format!("examples of 1 to {} tokens", config.n_ctx), found));
    }
    in_vocabulary("tokens", &tokens, config.d_vocab)?;
    if let Some(task) = task {
        if let Some(name) = ["positions", "labels"].into_iter().find(|name| arrays.contains_key(*name)) {
            return Err(Error::invalid(name, "targets beside them (without, the task has all three)", "none"));
        }
        return Dataset::from_examples(task, tokens);
    }
    let targets = numbers("targets")?.ok_or_else(|| Error::invalid("targets", "an array", "none"))?;
    let targets = if targets.ndim() == 1 { targets.insert_axis(Axis(1)) } else { targets };
    let targets = matrix("targets", targets)?;
    in_vocabulary("targets", &targets, config.d_vocab_out)?;
    let positions = match numbers("positions")? {
        Some(positions) => vector("positions", positions)?.iter().map(|position| *position as usize).collect(),
        None if targets.ncols() == tokens.ncols() => (0..tokens.ncols()).collect(),
        None => {
            let found = format!("targets of shape {:?} and no positions", targets.shape());
            return Err(Error::invalid("positions", "an array, where not every position is predicted", found));
        }
    };
    let labels = match arrays.get("labels") {
        None => (0..config.d_vocab).map(|token| token.to_string()).collect(),
        Some(bytes) => npy::words(bytes, "labels")?,
    };
    if labels.len() != config.d_vocab {
        return Err(Error::invalid("labels", format!("one for each of {} tokens", config.d_vocab), labels.len()));
    }
    Dataset::new(tokens, targets, positions, labels)
}

fn matrix(name: &str, array: ArrayD<Token>) -> Result<Array2<Token>> {
    let found = format!("shape {:?}", array.shape());
    array.into_dimensionality::<Ix2>().map_err(|_| Error::invalid(name, "two dimensions", found))
}

fn vector(name: &str, array: ArrayD<Token>) -> Result<Array1<Token>> {
    let found = format!("shape {:?}", array.shape());
    array.into_dimensionality::<Ix1>().map_err(|_| Error::invalid(name, "one dimension", found))
}

/// Whether these are all numbers of a vocabulary; names the example and the place of the first that is not.
fn in_vocabulary(name: &str, array: &Array2<Token>, size: usize) -> Result<()> {
    for (example, row) in array.outer_iter().enumerate() {
        check_vocabulary(row.iter(), size).map_err(|error| match error {
            Error::Invalid { what, expected, found } => {
                Error::invalid(format!("{name}, example {}, {what}", example + 1), expected, found)
            }
            other => other,
        })?;
    }
    Ok(())
}
