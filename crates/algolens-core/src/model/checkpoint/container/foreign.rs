//! Files of other kinds, told by how they begin, and what to do with them.

/// What a tar archive is, if a file is one.
pub(super) fn tar(bytes: &[u8]) -> Option<&'static str> {
    (bytes.get(257..262) == Some(b"ustar"))
        .then_some("a tar archive: unpack it first (one that PyTorch wrote before 0.1.10 must be saved again)")
}

/// What a file is that holds no checkpoint, if that can be told.
pub(super) fn kind_of(bytes: &[u8]) -> Option<&'static str> {
    const STARTS: [(&[u8], &str); 14] = [
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file (Keras, TensorFlow): save the weights as .npz (numpy.savez)"),
        (b"GGUF", "a GGUF file (llama.cpp): convert it to safetensors"),
        (b"\x1f\x8b", "compressed with gzip: unpack it first"),
        (b"BZh", "compressed with bzip2: unpack it first"),
        (b"\xfd7zXZ\0", "compressed with xz: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        (b"\x93NUMPY", "a single array (.npy): save all arrays by name as .npz (numpy.savez)"),
        (b"version https://git-lfs", "a Git LFS pointer, not the file itself: get that with git lfs pull"),
        (b"version https://hawser", "a Git LFS pointer, not the file itself: get that with git lfs pull"),
        (b"\xef\xbf\xbd", "damaged by a text conversion (its first byte became EF BF BD): get it again, as binary"),
        (b"\x08\x01\x12", "a TensorFlow SavedModel: save the weights as .npz (numpy.savez)"),
        (b"ORTM", "an ONNX Runtime model: save the weights as safetensors"),
        (b"PAR1", "a Parquet file, no checkpoint"),
    ];
    if let Some((_, kind)) = STARTS.iter().find(|(start, _)| bytes.starts_with(start)) {
        return Some(kind);
    }
    // The first field of an ONNX model is the version of the format, its second a text.
    if let [0x08, 0x02..=0x20, 0x12, ..] = bytes {
        return Some("an ONNX model: save the weights as safetensors");
    }
    let text = bytes.trim_ascii_start();
    let starts_with = |tag: &[u8]| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag));
    if starts_with(b"<!doctype html") || starts_with(b"<html") {
        return Some("a web page, not the file that it shows: download the file itself");
    }
    None
}
