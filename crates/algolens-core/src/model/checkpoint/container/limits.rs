//! What reading a file may cost: work and memory in proportion to its size.

use crate::{Error, Result};

/// The most bytes that all values of a file may claim together, for each byte of the file; views may share memory, but
/// not much of it.
const BYTES_PER_BYTE: usize = 4;
/// The bytes that values may claim beyond that, so that a small file may hold a mask that was expanded.
const SPARE_BYTES: usize = 16 << 20;

/// The most operations of a pickle: several million numbers.
#[cfg(feature = "torch")]
pub(super) const MOST_OPCODES: usize = 1 << 24;
/// The most objects (texts, lists, tensors, …) that a pickle may make.
#[cfg(feature = "torch")]
pub(super) const MOST_OBJECTS: usize = 1 << 22;
/// The deepest that values may be nested in each other.
#[cfg(feature = "torch")]
pub(super) const MOST_DEPTH: usize = 200;
/// The longest name of a class, and of a storage, in bytes.
#[cfg(feature = "torch")]
pub(super) const LONGEST_NAME: usize = 1 << 12;
/// The most tensors of a file, counted at every place where one is mentioned.
pub(in super::super) const MOST_TENSORS: usize = 1 << 18;
/// The most dimensions of a tensor.
pub(super) const MOST_DIMENSIONS: usize = 16;
/// The most files in a zip archive.
#[cfg(feature = "torch")]
pub(super) const MOST_ENTRIES: usize = 1 << 17;
/// The most values of JSON, each number and each list counted: twice the largest model.
pub(super) const MOST_VALUES: usize = 1 << 25;
/// The longest header of a safetensors file, in bytes.
pub(super) const LONGEST_HEADER: u64 = 1 << 24;

/// The memory that the values of one file may still claim. What is claimed is counted before it is taken.
#[derive(Debug)]
pub(in super::super) struct Budget {
    left: usize,
    most: usize,
}

impl Budget {
    /// The budget of a file of this size.
    pub fn of_file(length: usize) -> Self {
        let most = length.saturating_mul(BYTES_PER_BYTE).saturating_add(SPARE_BYTES);
        Self { left: most, most }
    }

    /// Takes this many bytes from the budget, for something that has a name.
    pub fn claim(&mut self, bytes: usize, name: &str) -> Result<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(Error::checkpoint(format_args!(
                "{name} claims {bytes} bytes, and all values of a file of this size at most {}",
                self.most
            ))),
        }
    }
}
