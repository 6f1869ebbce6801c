//! Files as NumPy writes them.

use ndarray::ArrayD;
use ndarray_npy::{WritableElement, WriteNpyExt};
use std::{
    fs::File,
    io::{Cursor, Write},
    path::Path,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Writes a `.npz` file of these `.npy` files, compressed or not.
///
/// # Panics
/// If it cannot be written.
pub fn write_npz(path: &Path, arrays: &[(&str, Vec<u8>)], method: CompressionMethod) {
    let mut archive = ZipWriter::new(File::create(path).expect("a file that can be written"));
    for (name, array) in arrays {
        let options = SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).expect("a name");
        archive.write_all(array).expect("room for it");
    }
    archive.finish().expect("room for its end");
}

/// Numbers or truth values as a `.npy` file.
///
/// # Panics
/// Never.
pub fn npy<A: WritableElement>(array: ArrayD<A>) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    array.write_npy(&mut bytes).expect("memory takes it");
    bytes.into_inner()
}

/// Words as a `.npy` file, as `numpy.save` writes an array of `str` (format 1.0, type `<U…`).
pub fn npy_of_words(words: &[&str]) -> Vec<u8> {
    let letters = words.iter().map(|word| word.chars().count()).max().unwrap_or(0);
    let header = format!("{{'descr': '<U{letters}', 'fortran_order': False, 'shape': ({},), }}", words.len());
    let header = format!("{header:<117}\n");
    let mut bytes = [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    for word in words {
        let padded = word.chars().map(u32::from).chain(std::iter::repeat(0)).take(letters);
        bytes.extend(padded.flat_map(u32::to_le_bytes));
    }
    bytes
}
