//! Arrays as NumPy writes them, made of headers and numbers.

use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// What parts arrays in an input.
const BETWEEN: &[u8] = b"\x93NUMPY";

/// Arrays by name: a number, of which the lowest bit says that they are deflated; then for each a name on a line of its own,
/// a format's number and a header on one, and the data, with [`BETWEEN`] between them.
pub struct Arrays<'a> {
    /// Whether they are deflated.
    pub deflated: bool,
    /// Names and what [`npy`] makes files of.
    pub arrays: Vec<(&'a [u8], &'a [u8])>,
}

/// A `.npy` file of a format's number, a header on one line, and data; its lengths are right.
pub fn npy(input: &[u8]) -> Vec<u8> {
    let (version, rest) = input.split_first().unwrap_or((&1, &[]));
    let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |at| at + 1);
    let (header, data) = rest.split_at(end);
    let mut length = (header.len() as u32).to_le_bytes().to_vec();
    length.truncate(if *version < 2 { 2 } else { 4 });
    [BETWEEN, &[*version, 0], &length, header, data].concat()
}

impl<'a> Arrays<'a> {
    /// From the bytes of an input.
    pub fn from_input(input: &'a [u8]) -> Option<Self> {
        let (flags, rest) = input.split_first()?;
        let mut starts = vec![0];
        starts.extend((0..rest.len()).filter(|at| rest[*at..].starts_with(BETWEEN)));
        let ends = starts.iter().copied().skip(1).chain([rest.len()]);
        let parts = starts.iter().zip(ends).map(|(start, end)| {
            let part = &rest[*start..end];
            let part = part.strip_prefix(BETWEEN).unwrap_or(part);
            let line = part.iter().position(|byte| *byte == b'\n').unwrap_or(part.len());
            (&part[..line], part.get(line + 1..).unwrap_or_default())
        });
        Some(Self { deflated: flags & 1 != 0, arrays: parts.collect() })
    }

    /// The input that stands for it.
    pub fn to_input(&self) -> Vec<u8> {
        let parts: Vec<Vec<u8>> =
            self.arrays.iter().map(|(name, array)| [name, b"\n".as_slice(), array].concat()).collect();
        [&[u8::from(self.deflated)], parts.join(BETWEEN).as_slice()].concat()
    }

    /// The archive; none where two names are one, or too long.
    pub fn archive(&self) -> Option<Vec<u8>> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let method = if self.deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        for (name, array) in &self.arrays {
            let name = format!("{}.npy", String::from_utf8_lossy(name));
            zip.start_file(name, SimpleFileOptions::default().compression_method(method)).ok()?;
            zip.write_all(&npy(array)).ok()?;
        }
        Some(zip.finish().ok()?.into_inner())
    }
}

/// Floats of single precision, small and all different, as so many bytes.
pub(crate) fn filling(length: usize, seed: usize) -> Vec<u8> {
    let numbers = (0..length.div_ceil(4)).flat_map(|at| ((at % 4096) as f32 / 64.0 - seed as f32).to_le_bytes());
    numbers.take(length).collect()
}
