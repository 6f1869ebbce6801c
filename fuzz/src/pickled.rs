//! A pickle in a zip archive as `torch.save` writes it, with the storages that it names.

use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// The most bytes of all storages.
const MOST_BYTES: usize = 1 << 16;
/// Storages have a multiple of this many bytes.
const UNIT: usize = 16;

/// A pickle, and what stands beside it: a number for the count of storages (five bits), their order of bytes and the folder's
/// name; two for their length; the rest is the pickle.
pub struct Pickled<'a> {
    /// How many storages there are, by the names `0`, `1` and so on; at most 31.
    pub storages: usize,
    /// Bytes of each.
    pub length: usize,
    /// Whether the highest byte of a number comes first.
    pub big_endian: bool,
    /// The pickle.
    pub pickle: &'a [u8],
}

impl<'a> Pickled<'a> {
    /// From the bytes of an input.
    pub fn from_input(input: &'a [u8]) -> Option<Self> {
        let [flags, low, high, pickle @ ..] = input else { return None };
        let storages = usize::from(flags & 0x1f);
        let length = UNIT * usize::from(u16::from_le_bytes([*low, *high]));
        Some(Self { storages, length: length.min(MOST_BYTES / storages.max(1)), big_endian: flags & 0x20 != 0, pickle })
    }

    /// The input that stands for it, its length rounded up.
    pub fn to_input(&self) -> Vec<u8> {
        let length = u16::try_from(self.length.div_ceil(UNIT)).unwrap_or(u16::MAX);
        let flags = self.storages.min(31) as u8 | if self.big_endian { 0x20 } else { 0 };
        [&[flags], length.to_le_bytes().as_slice(), self.pickle].concat()
    }

    /// The archive.
    ///
    /// # Panics
    /// Never.
    pub fn archive(&self) -> Vec<u8> {
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
        let mut add = |name: &str, bytes: &[u8]| {
            zip.start_file(name, options).expect("a name");
            zip.write_all(bytes).expect("memory takes it");
        };
        add("m/data.pkl", self.pickle);
        if self.big_endian {
            add("m/byteorder", b"big");
        }
        for storage in 0..self.storages {
            add(&format!("m/data/{storage}"), &crate::arrays::filling(self.length, storage));
        }
        zip.finish().expect("memory takes it").into_inner()
    }
}
