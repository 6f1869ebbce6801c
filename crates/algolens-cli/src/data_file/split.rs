//! The parts of some data.

use super::arrays::Arrays;
use crate::npy;
use algolens::{Error, Result};

/// What examples are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// To learn from.
    Train,
    /// To choose weights by.
    Validation,
    /// To judge by.
    Test,
}

/// The parts, each by its name; a number is the place in this list.
const NAMES: [(&str, Part); 3] = [("train", Part::Train), ("validation", Part::Validation), ("test", Part::Test)];

impl Arrays {
    /// The part of each of so many examples, if the file says so: by name or by number.
    pub fn split(&self, examples: usize) -> Result<Option<Vec<Part>>> {
        const EXPECTED: &str = "train, validation or test (or 0, 1, 2)";
        let Some(bytes) = self.bytes("split") else { return Ok(None) };
        let names = match npy::words(bytes, "split") {
            Ok(words) => words,
            Err(_) => match npy::numbers(bytes, "split") {
                Ok(numbers) if numbers.ndim() == 1 => numbers.iter().map(ToString::to_string).collect(),
                _ => return Err(Error::invalid("split", format!("{EXPECTED} for each example"), "something else")),
            },
        };
        if names.len() != examples {
            return Err(Error::invalid("split", format!("one for each of {examples} examples"), names.len()));
        }
        let part = |(example, name): (usize, &String)| {
            let known =
                NAMES.iter().enumerate().find(|(number, (known, _))| name == known || *name == number.to_string());
            let unknown = || Error::invalid(format!("split of example {}", example + 1), EXPECTED, name);
            known.map(|(_, (_, part))| *part).ok_or_else(unknown)
        };
        names.iter().enumerate().map(part).collect::<Result<_>>().map(Some)
    }
}
