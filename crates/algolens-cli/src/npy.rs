//! Reading NumPy's `.npy`: whole numbers that count something, weights and probabilities, truth values, and words.

use algolens::{Error, Result, files, task::Token};
use ndarray::{Array2, ArrayD, Ix2};
use ndarray_npy::{ReadNpyExt, ReadableElement, npy::header::Header};
use std::path::Path;

/// What a `.npy` file holds, by its type.
pub enum Array {
    /// Numbers of 0 or more, of any integer type.
    Whole(ArrayD<Token>),
    /// Of type `f4` or `f8`.
    Floats(ArrayD<f32>),
    /// Of type `bool`.
    Bools(ArrayD<bool>),
}

/// The array of a `.npy` file; `what` names it in errors.
pub fn array(bytes: &[u8], what: &str) -> Result<Array> {
    let (header, _) = whole(bytes).map_err(|found| Error::invalid(what, "a whole .npy file", found))?;
    if let Some(floats) = read::<f32>(bytes) {
        return Ok(Array::Floats(floats));
    }
    if let Some(floats) = read::<f64>(bytes) {
        return Ok(Array::Floats(floats.mapv(|number| number as f32)));
    }
    if let Some(bools) = read::<bool>(bytes) {
        return Ok(Array::Bools(bools));
    }
    let integers = integers::<i64>(bytes)
        .or_else(|| integers::<i32>(bytes))
        .or_else(|| integers::<i16>(bytes))
        .or_else(|| integers::<i8>(bytes))
        .or_else(|| integers::<u64>(bytes))
        .or_else(|| integers::<u32>(bytes))
        .or_else(|| integers::<u16>(bytes))
        .or_else(|| integers::<u8>(bytes));
    let kind = header.type_descriptor.to_string();
    let found = || match kind.contains("|O") {
        true => "objects, as of rows of different lengths (a padding token makes them one)".to_owned(),
        false => format!("type {kind}"),
    };
    let numbers = integers.ok_or_else(|| Error::invalid(what, "a .npy file of numbers", found()))?;
    let numbers = numbers.map_err(|number| Error::invalid(what, "whole numbers of 0 or more", number))?;
    Ok(Array::Whole(numbers))
}

/// The numbers of a `.npy` file, of any integer type; `what` names it in errors.
pub fn numbers(bytes: &[u8], what: &str) -> Result<ArrayD<Token>> {
    let expected = |found| Error::invalid(what, "a .npy file of integers", found);
    match array(bytes, what)? {
        Array::Whole(numbers) => Ok(numbers),
        Array::Floats(_) => Err(expected("floats")),
        Array::Bools(_) => Err(expected("truth values")),
    }
}

/// The numbers of a `.npy` file of any type, as floats; `what` names it in errors.
pub fn floats(bytes: &[u8], what: &str) -> Result<ArrayD<f32>> {
    Ok(match array(bytes, what)? {
        Array::Whole(numbers) => numbers.mapv(|number| number as f32),
        Array::Floats(floats) => floats,
        Array::Bools(bools) => bools.mapv(|is| f32::from(u8::from(is))),
    })
}

/// The tokens `[batch, pos]` of a `.npy` file.
pub fn tokens(path: &Path) -> Result<Array2<Token>> {
    let what = path.display().to_string();
    let tokens = numbers(&files::read(path)?, &what)?;
    let shape = format!("shape {:?}", tokens.shape());
    let tokens = tokens
        .into_dimensionality::<Ix2>()
        .map_err(|_| Error::invalid(&what, "two dimensions, [batch, pos]", &shape))?;
    if tokens.is_empty() { Err(Error::invalid(what, "at least one token", shape)) } else { Ok(tokens) }
}

/// The words of a `.npy` file of one dimension, of NumPy's type `<U…`; `what` names it in errors.
pub fn words(bytes: &[u8], what: &str) -> Result<Vec<String>> {
    let (header, data) = whole(bytes).map_err(|found| Error::invalid(what, "a whole .npy file", found))?;
    let kind = header.type_descriptor.to_string();
    let letters = kind.trim_matches('\'').strip_prefix("<U").and_then(|letters| letters.parse::<usize>().ok());
    let (Some(letters), &[count]) = (letters, &header.shape[..]) else {
        let found = format!("{kind}, shape {:?}", header.shape);
        return Err(Error::invalid(what, "words (type <U…) in one dimension", found));
    };
    let length = letters.saturating_mul(4);
    if length.checked_mul(count) != Some(data.len()) {
        let expected = format!("{count} words of {letters} letters");
        return Err(Error::invalid(what, expected, format!("{} bytes", data.len())));
    }
    if length == 0 {
        return Ok(vec![String::new(); count]);
    }
    let word = |word: &[u8]| -> Option<String> {
        let letters = word.as_chunks::<4>().0.iter().map(|letter| u32::from_le_bytes(*letter));
        letters.take_while(|letter| *letter != 0).map(char::from_u32).collect()
    };
    let words: Option<Vec<String>> = data.chunks_exact(length).map(word).collect();
    words.ok_or_else(|| Error::invalid(what, "words in Unicode", "others"))
}

/// The header of a `.npy` file that is at least as long as it says, at a byte a number, and what follows it; the error tells
/// what is wrong.
fn whole(bytes: &[u8]) -> std::result::Result<(Header, &[u8]), String> {
    if is_nested(bytes) {
        return Err("a header with deep brackets, or without an end".into());
    }
    let mut rest = bytes;
    let header = Header::from_reader(&mut rest).map_err(|error| error.to_string())?;
    let numbers = header.shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size));
    if numbers.is_some_and(|numbers| numbers <= rest.len()) {
        return Ok((header, rest));
    }
    Err(format!("shape {:?} in {} bytes", header.shape, rest.len()))
}

/// Whether a header has deeper brackets than NumPy's (a dictionary with a tuple), whose reading takes time that doubles with
/// each, or is longer than any.
fn is_nested(bytes: &[u8]) -> bool {
    const LONGEST: usize = 1 << 16;
    const DEEPEST: usize = 4;
    let mut depth = 0_usize;
    for byte in bytes.iter().take(LONGEST).skip_while(|byte| **byte != b'{') {
        match byte {
            b'{' | b'[' | b'(' => depth += 1,
            b'}' | b']' | b')' => depth = depth.saturating_sub(1),
            b'\n' => return false,
            _ => {}
        }
        if depth > DEEPEST {
            return true;
        }
    }
    true
}

/// The array of a `.npy` file, if its elements are of this type.
fn read<A: ReadableElement>(bytes: &[u8]) -> Option<ArrayD<A>> {
    ArrayD::<A>::read_npy(bytes).ok()
}

/// The array of a `.npy` file, if its numbers are of this integer type; or the first of them that is no token.
fn integers<I>(bytes: &[u8]) -> Option<Result<ArrayD<Token>, String>>
where
    I: ReadableElement + Copy + ToString + TryInto<Token>,
{
    let array = read::<I>(bytes)?;
    let tokens: Result<Vec<Token>, String> =
        array.iter().map(|number| (*number).try_into().map_err(|_| number.to_string())).collect();
    Some(tokens.map(|tokens| ArrayD::from_shape_vec(array.raw_dim(), tokens).expect("as many as there were numbers")))
}
