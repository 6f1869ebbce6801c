//! Examples of a file, to learn from without a task.

use crate::{
    Error, Result, random,
    task::{Dataset, check_vocabulary},
};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The file that examples are from, as a recipe records it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSource {
    /// The file's name, without its folder.
    pub name: String,
    /// The SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

impl DataSource {
    /// The file of this name and these bytes.
    pub fn new(name: impl Into<String>, bytes: &[u8]) -> Self {
        let digest = Sha256::digest(bytes);
        Self { name: name.into(), sha256: digest.iter().map(|byte| format!("{byte:02x}")).collect() }
    }
}

impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SHA-256 {})", self.name, self.sha256)
    }
}

/// Examples that a training run learns from, and others that decide which epoch's weights are kept, where no task draws them.
#[derive(Clone, Debug)]
pub struct Examples {
    source: DataSource,
    train: Dataset,
    validation: Dataset,
}

impl Examples {
    /// The examples at these indices of a file's data.
    ///
    /// # Errors
    /// None to learn from or to validate on, or none that is scored; tokens or classes without a name.
    pub fn new(source: DataSource, data: &Dataset, train: &[usize], validation: &[usize]) -> Result<Self> {
        check_vocabulary(data.tokens().iter(), data.token_labels().len())?;
        data.targets().check_classes(data.output_labels().len())?;
        let examples = Self { source, train: data.select(train), validation: data.select(validation) };
        for (what, data) in [("training examples", &examples.train), ("validation examples", &examples.validation)] {
            if data.targets().total_weight() == 0.0 {
                let found = if data.is_empty() { "no example" } else { "none" };
                return Err(Error::invalid(what, "a prediction that is scored", found));
            }
        }
        Ok(examples)
    }

    /// The indices of so many examples: those to learn from, and a tenth to validate on, drawn by the seed.
    pub fn hold_out(examples: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
        let mut order: Vec<usize> = (0..examples).collect();
        order.shuffle(&mut random::stream(seed, "hold out"));
        let mut train = order.split_off(examples.div_ceil(10));
        order.sort_unstable();
        train.sort_unstable();
        (train, order)
    }

    /// The file that they are from.
    pub fn source(&self) -> &DataSource {
        &self.source
    }

    /// Those to learn from.
    pub fn train(&self) -> &Dataset {
        &self.train
    }

    /// Those that decide which epoch's weights are kept.
    pub fn validation(&self) -> &Dataset {
        &self.validation
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_is_held_out_as_the_seed_says() {
        let (train, validation) = Examples::hold_out(25, 1);
        assert_eq!((train.len(), validation.len()), (22, 3));
        let mut all = [&train[..], &validation[..]].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..25));
        assert_eq!(Examples::hold_out(25, 1), (train, validation.clone()));
        assert_ne!(Examples::hold_out(25, 2).1, validation);
        assert_eq!(Examples::hold_out(1, 0), (vec![], vec![0]));
    }

    /// The digest of "abc" that FIPS 180-2 gives.
    #[test]
    fn a_file_is_known_by_its_name_and_digest() {
        let source = DataSource::new("data.npz", b"abc");
        let expected = "data.npz (SHA-256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad)";
        assert_eq!(source.to_string(), expected);
    }
}
