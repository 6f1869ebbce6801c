//! Reading NumPy's `.npy`: whole numbers that count something, and words.

use algolens::{Error, Result, task::Token};
use ndarray::ArrayD;
use ndarray_npy::{ReadNpyExt, ReadableElement, npy::header::Header};

/// The numbers of a `.npy` file, of any integer type; `what` names it in errors.
pub fn numbers(bytes: &[u8], what: &str) -> Result<ArrayD<Token>> {
    whole(bytes).map_err(|found| Error::invalid(what, "a whole .npy file", found))?;
    let read = integers::<i64>(bytes)
        .or_else(|| integers::<i32>(bytes))
        .or_else(|| integers::<i16>(bytes))
        .or_else(|| integers::<i8>(bytes))
        .or_else(|| integers::<u64>(bytes))
        .or_else(|| integers::<u32>(bytes))
        .or_else(|| integers::<u16>(bytes))
        .or_else(|| integers::<u8>(bytes));
    let numbers = read.ok_or_else(|| Error::invalid(what, "a .npy file of integers", "something else"))?;
    match numbers.iter().find(|number| Token::try_from(**number).is_err()) {
        Some(number) => Err(Error::invalid(what, "whole numbers of 0 or more", number)),
        None => Ok(numbers.mapv(|number| number as Token)),
    }
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

/// The array of a `.npy` file, if its numbers are of this type.
fn integers<I>(bytes: &[u8]) -> Option<ArrayD<i128>>
where
    I: ReadableElement + Copy + Into<i128>,
{
    ArrayD::<I>::read_npy(bytes).ok().map(|array| array.mapv(Into::into))
}
