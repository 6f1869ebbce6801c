//! The bytes of a pickle, one after the other.

use super::super::{bytes::Bytes, limits::LONGEST_NAME};
use crate::{Error, Result};

/// A place in a pickle.
pub(super) struct Reader {
    bytes: Bytes,
    at: usize,
}

/// What is wrong with a pickle.
pub(in super::super) fn broken(why: impl std::fmt::Display) -> Error {
    Error::checkpoint(format_args!("as a pickle: {why}"))
}

impl Reader {
    pub fn new(bytes: &Bytes) -> Self {
        Self { bytes: bytes.clone(), at: 0 }
    }

    /// How many bytes were read.
    pub fn at(&self) -> usize {
        self.at
    }

    /// The next bytes.
    pub fn take(&mut self, length: usize) -> Result<Bytes> {
        let end = self.at.checked_add(length);
        let taken = end.and_then(|end| self.bytes.part(self.at..end)).ok_or_else(truncated)?;
        self.at += length;
        Ok(taken)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = *rest.first_chunk().ok_or_else(truncated)?;
        self.at += N;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    /// A length of `N` bytes.
    pub fn length<const N: usize>(&mut self) -> Result<usize> {
        let bytes = self.array::<N>()?;
        let length = bytes.iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        usize::try_from(length).map_err(|_| truncated())
    }

    /// What comes after its own length in `N` bytes.
    pub fn sized<const N: usize>(&mut self) -> Result<Bytes> {
        let length = self.length::<N>()?;
        self.take(length)
    }

    /// The text up to the end of a line.
    pub fn line(&mut self) -> Result<Bytes> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let end = rest.iter().take(LONGEST_NAME).position(|byte| *byte == b'\n').ok_or_else(truncated)?;
        let line = self.take(end)?;
        self.at += 1;
        Ok(line)
    }
}

fn truncated() -> Error {
    broken("it is truncated or damaged: a value goes on after its end")
}
