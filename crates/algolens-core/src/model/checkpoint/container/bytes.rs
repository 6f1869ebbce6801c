//! A part of memory that many values look at.

use std::{ops::Deref, ops::Range, sync::Arc};

/// A shared run of bytes: a file, or a part of it. Copying it or taking a part copies no byte.
#[derive(Clone)]
pub struct Bytes {
    whole: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Bytes {
    /// The part at a range of these bytes; none where the range leaves them.
    pub fn part(&self, range: Range<usize>) -> Option<Self> {
        if range.start > range.end || range.end > self.range.len() {
            return None;
        }
        let start = self.range.start;
        Some(Self { whole: self.whole.clone(), range: start + range.start..start + range.end })
    }

    /// Where a range of these bytes stands: the memory, by a number, and the place in it.
    pub(crate) fn place(&self, range: Range<usize>) -> (usize, Range<usize>) {
        let start = self.range.start;
        (Arc::as_ptr(&self.whole).addr(), start + range.start..start + range.end)
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Self {
        let range = 0..bytes.len();
        Self { whole: Arc::new(bytes), range }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }
}

impl AsRef<[u8]> for Bytes {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Bytes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(formatter, "{} bytes", self.len())
    }
}
