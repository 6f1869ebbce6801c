//! The arrays of a `.npz` file.

use crate::npy;
use algolens::{
    Error, Result,
    task::{Right, Targets, Token},
};
use ndarray::{Array, Array1, Array2, ArrayD, Axis, Dimension, Ix1, Ix2};
use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
};
use zip::ZipArchive;

/// The arrays that a file may have.
const NAMES: [&str; 8] = ["tokens", "targets", "positions", "weights", "labels", "output_labels", "split", "padding"];
/// The most bytes of all arrays of a file.
const MOST_BYTES: u64 = 1 << 28;

/// The arrays of a file as `.npy` files, by name.
pub struct Arrays(BTreeMap<String, Vec<u8>>);

impl Arrays {
    /// Those of a `.npz` file.
    ///
    /// # Errors
    /// Bytes that are no such file; unknown, large or repeated arrays.
    pub fn read(bytes: Vec<u8>) -> Result<Self> {
        let unreadable = |error: &dyn std::fmt::Display| Error::invalid("data", "NumPy's .npz", error);
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| unreadable(&error))?;
        let (mut arrays, mut left) = (BTreeMap::new(), MOST_BYTES);
        for at in 0..archive.len() {
            let file = archive.by_index(at).map_err(|error| unreadable(&error))?;
            let name = file.name().map_err(|error| unreadable(&error))?;
            let name = name.strip_suffix(".npy").unwrap_or(&name).to_owned();
            if !NAMES.contains(&name.as_str()) {
                return Err(Error::invalid("an array of the data", NAMES.join(", "), name));
            }
            let too_large = || Error::invalid(&name, format!("at most {MOST_BYTES} bytes in all arrays"), "more");
            left = left.checked_sub(file.size()).ok_or_else(too_large)?;
            // What holds more than it claims fails on the byte after that.
            let (claimed, mut array) = (file.size(), Vec::new());
            file.take(claimed + 1).read_to_end(&mut array).map_err(|error| unreadable(&error))?;
            if arrays.contains_key(&name) {
                return Err(Error::invalid(name, "one array of the data", "two"));
            }
            arrays.insert(name, array);
        }
        Ok(Self(arrays))
    }

    /// Whether there is an array of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// The `.npy` file of an array.
    pub fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.0.get(name).map(Vec::as_slice)
    }

    /// An array of whole numbers in two dimensions.
    pub fn matrix(&self, name: &str) -> Result<Option<Array2<Token>>> {
        self.numbers(name)?.map(|numbers| shaped::<_, Ix2>(name, numbers, "two dimensions")).transpose()
    }

    /// An array of whole numbers in one dimension.
    pub fn vector(&self, name: &str) -> Result<Option<Array1<Token>>> {
        self.numbers(name)?.map(|numbers| shaped::<_, Ix1>(name, numbers, "one dimension")).transpose()
    }

    /// An array of words.
    pub fn words(&self, name: &str) -> Result<Option<Vec<String>>> {
        self.bytes(name).map(|bytes| npy::words(bytes, name)).transpose()
    }

    /// What is right at each prediction, and its weight. Where each example has one, its axis may be left out.
    pub fn targets(&self) -> Result<Targets> {
        const NAME: &str = "targets";
        let bytes = self.bytes(NAME).ok_or_else(|| Error::invalid(NAME, "an array", "none"))?;
        let right = match npy::array(bytes, NAME)? {
            npy::Array::Whole(classes) => Right::Classes(shaped(NAME, with_predictions(classes, 2), "two dimensions")?),
            npy::Array::Bools(sets) => Right::Sets(shaped(NAME, with_predictions(sets, 3), SETS)?),
            npy::Array::Floats(all) => Right::Distributions(shaped(NAME, with_predictions(all, 3), DISTRIBUTIONS)?),
        };
        let weights = self.bytes("weights").map(|bytes| npy::floats(bytes, "weights")).transpose()?;
        let weights =
            weights.map(|weights| shaped("weights", with_predictions(weights, 2), "two dimensions")).transpose()?;
        Ok(Targets { right, weights })
    }

    /// The token that fills shorter examples, of a vocabulary.
    pub fn padding(&self, d_vocab: usize) -> Result<Option<Token>> {
        let Some(padding) = self.numbers("padding")? else { return Ok(None) };
        match padding.iter().copied().collect::<Vec<_>>()[..] {
            [token] if (token as usize) < d_vocab => Ok(Some(token)),
            [token] => Err(Error::invalid("padding", format!("a number below {d_vocab}"), token)),
            _ => Err(Error::invalid("padding", "one token", format!("shape {:?}", padding.shape()))),
        }
    }

    fn numbers(&self, name: &str) -> Result<Option<ArrayD<Token>>> {
        self.bytes(name).map(|bytes| npy::numbers(bytes, name)).transpose()
    }
}

const SETS: &str = "three dimensions of truth values";
const DISTRIBUTIONS: &str = "three dimensions of probabilities";

/// An array of so many axes, of which that of the predictions may have been left out.
fn with_predictions<A>(array: ArrayD<A>, axes: usize) -> ArrayD<A> {
    if array.ndim() + 1 == axes { array.insert_axis(Axis(1)) } else { array }
}

fn shaped<A, D: Dimension>(name: &str, array: ArrayD<A>, expected: &str) -> Result<Array<A, D>> {
    let found = format!("shape {:?}", array.shape());
    array.into_dimensionality().map_err(|_| Error::invalid(name, expected, found))
}
