//! Files made by hand: a small assembler of pickles, and what PyTorch and NumPy put around them.

use algolens_core::model::Model;
use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// A value as a pickle says it.
#[derive(Clone)]
pub enum P {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<P>),
    Tuple(Vec<P>),
    Dict(Vec<(P, P)>),
    Global(&'static str, &'static str),
    Call(Box<P>, Vec<P>),
    New(Box<P>, Vec<P>),
    Build(Box<P>, Box<P>),
    Persistent(Box<P>),
    /// Remembered under a number.
    Put(u8, Box<P>),
    Get(u8),
}

pub fn text(text: &str) -> P {
    P::Text(text.into())
}

pub fn dict<const N: usize>(entries: [(&str, P); N]) -> P {
    P::Dict(entries.into_iter().map(|(key, value)| (text(key), value)).collect())
}

pub fn call<const N: usize>(module: &'static str, name: &'static str, args: [P; N]) -> P {
    P::Call(Box::new(P::Global(module, name)), args.into())
}

/// An object of a class that has these attributes.
pub fn object<const N: usize>(module: &'static str, name: &'static str, state: [(&str, P); N]) -> P {
    P::Build(Box::new(P::New(Box::new(P::Global(module, name)), Vec::new())), Box::new(dict(state)))
}

pub fn ints(values: &[usize]) -> P {
    P::Tuple(values.iter().map(|value| P::Int(*value as i64)).collect())
}

impl P {
    fn write(&self, protocol: u8, out: &mut Vec<u8>) {
        let many = |parts: &[P], out: &mut Vec<u8>| parts.iter().for_each(|part| part.write(protocol, out));
        match self {
            P::None => out.push(b'N'),
            P::Bool(value) => out.push(0x88 + u8::from(!value)),
            P::Int(value) => match i32::try_from(*value) {
                Ok(small) => [b"J".as_slice(), &small.to_le_bytes()].iter().for_each(|part| out.extend(*part)),
                Err(_) => [b"\x8a\x08".as_slice(), &value.to_le_bytes()].iter().for_each(|part| out.extend(*part)),
            },
            P::Float(value) => [b"G".as_slice(), &value.to_be_bytes()].iter().for_each(|part| out.extend(*part)),
            P::Text(value) => {
                let length = value.len() as u32;
                [b"X".as_slice(), &length.to_le_bytes(), value.as_bytes()].iter().for_each(|part| out.extend(*part));
            }
            P::Bytes(bytes) if protocol < 3 => {
                let latin: String = bytes.iter().map(|byte| char::from(*byte)).collect();
                call("_codecs", "encode", [P::Text(latin), text("latin1")]).write(protocol, out);
            }
            P::Bytes(bytes) => {
                let length = bytes.len() as u32;
                [b"B".as_slice(), &length.to_le_bytes(), bytes].iter().for_each(|part| out.extend(*part));
            }
            P::List(items) => {
                out.extend(b"](");
                many(items, out);
                out.push(b'e');
            }
            P::Tuple(items) => {
                out.push(b'(');
                many(items, out);
                out.push(b't');
            }
            P::Dict(entries) => {
                out.extend(b"}(");
                entries.iter().for_each(|(key, value)| many(&[key.clone(), value.clone()], out));
                out.push(b'u');
            }
            P::Global(module, name) if protocol < 4 => out.extend(format!("c{module}\n{name}\n").bytes()),
            P::Global(module, name) => {
                many(&[text(module), text(name)], out);
                out.push(0x93);
            }
            P::Call(callee, args) | P::New(callee, args) => {
                callee.write(protocol, out);
                P::Tuple(args.clone()).write(protocol, out);
                out.push(if matches!(self, P::Call(..)) { b'R' } else { 0x81 });
            }
            P::Build(target, state) => {
                target.write(protocol, out);
                state.write(protocol, out);
                out.push(b'b');
            }
            P::Persistent(id) => {
                id.write(protocol, out);
                out.push(b'Q');
            }
            P::Put(number, value) => {
                value.write(protocol, out);
                out.extend([b'q', *number]);
            }
            P::Get(number) => out.extend([b'h', *number]),
        }
    }
}

/// The pickle of a value.
pub fn dump(protocol: u8, value: &P) -> Vec<u8> {
    let mut out = vec![0x80, protocol];
    value.write(protocol, &mut out);
    out.push(b'.');
    out
}

/// A storage as PyTorch refers to it.
pub fn storage(kind: &'static str, key: &str, numbers: usize) -> Vec<P> {
    vec![text("storage"), P::Global("torch", kind), text(key), text("cpu"), P::Int(numbers as i64)]
}

/// A view of a storage.
pub fn view(storage: P, offset: i64, shape: P, strides: P) -> P {
    let hooks = call("collections", "OrderedDict", []);
    call("torch._utils", "_rebuild_tensor_v2", [storage, P::Int(offset), shape, strides, P::Bool(false), hooks])
}

/// A tensor without gaps on a storage of its own, as in a zip archive.
pub fn tensor(kind: &'static str, key: &str, shape: &[usize]) -> P {
    let strides: Vec<usize> = (0..shape.len()).map(|axis| shape[axis + 1..].iter().product()).collect();
    let numbers = shape.iter().product();
    view(P::Persistent(Box::new(P::Tuple(storage(kind, key, numbers)))), 0, ints(shape), ints(&strides))
}

/// Stored files in a zip archive.
pub fn zipped(files: &[(String, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A file as `torch.save` writes it since PyTorch 1.6.
pub fn torch_zip(folder: &str, value: &P, storages: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut files = vec![(format!("{folder}/data.pkl"), dump(2, value))];
    files.extend(storages.iter().map(|(key, bytes)| (format!("{folder}/data/{key}"), bytes.clone())));
    files.push((format!("{folder}/version"), b"3\n".to_vec()));
    with_zip64(&zipped(&files, CompressionMethod::Stored))
}

/// The archive with the end record of large ones, and its locator, before the end record, as PyTorch has it.
fn with_zip64(zip: &[u8]) -> Vec<u8> {
    let (files, end) = zip.split_at(zip.len() - 22);
    let number =
        |at: usize, length: usize| end[at..at + length].iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    let (entries, size, start) = (number(10, 2), number(12, 4), number(16, 4));
    let mut out = [files, b"PK\x06\x06"].concat();
    out.extend(44_u64.to_le_bytes());
    out.extend([30, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    [entries, entries, size, start].iter().for_each(|number| out.extend(number.to_le_bytes()));
    out.extend(b"PK\x06\x07\0\0\0\0");
    out.extend((files.len() as u64).to_le_bytes());
    out.extend([1, 0, 0, 0]);
    out.extend(end);
    out
}

/// A file as `torch.save` wrote it before: a value, and storages by key with the size of their numbers.
pub fn torch_stream(value: &P, storages: &[(String, usize, Vec<u8>)]) -> Vec<u8> {
    let mut out = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.".to_vec();
    out.extend(dump(2, &P::Int(1001)));
    out.extend(dump(2, &dict([("protocol_version", P::Int(1001)), ("little_endian", P::Bool(true))])));
    out.extend(dump(2, value));
    out.extend(dump(2, &P::List(storages.iter().map(|(key, ..)| text(key)).collect())));
    for (_, size, bytes) in storages {
        out.extend(((bytes.len() / size) as i64).to_le_bytes());
        out.extend(bytes);
    }
    out
}

/// What a pickled tensor holds instead of its storage: a stream of that alone.
pub fn saved(kind: &'static str, size: usize, bytes: &[u8]) -> P {
    let mut id = storage(kind, "9", bytes.len() / size);
    id.push(P::None);
    let stream = torch_stream(&P::Persistent(Box::new(P::Tuple(id))), &[("9".into(), size, bytes.to_vec())]);
    call("torch.storage", "_load_from_bytes", [P::Bytes(stream)])
}

/// A model's weights: names, shapes, bytes.
pub fn weights(model: &Model) -> Vec<(String, Vec<usize>, Vec<u8>)> {
    let bytes = |array: ndarray::ArrayViewD<f32>| array.iter().flat_map(|x| x.to_le_bytes()).collect();
    model.params.tensors().map(|(name, array)| (name.to_owned(), array.shape().to_vec(), bytes(array))).collect()
}

/// A model's state dict as an `OrderedDict`, and its storages, whose keys begin with `key`.
pub fn state_dict(model: &Model, key: &str) -> (P, Vec<(String, Vec<u8>)>) {
    let weights = weights(model);
    let pairs = weights
        .iter()
        .enumerate()
        .map(|(at, (name, shape, _))| P::List(vec![text(name), tensor("FloatStorage", &format!("{key}{at}"), shape)]));
    let ordered = call("collections", "OrderedDict", [P::List(pairs.collect())]);
    // As PyTorch's have it.
    let built = P::Build(Box::new(ordered), Box::new(dict([("_metadata", P::Dict(Vec::new()))])));
    let storages = weights.into_iter().enumerate().map(|(at, (.., bytes))| (format!("{key}{at}"), bytes));
    (built, storages.collect())
}
