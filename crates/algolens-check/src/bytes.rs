//! Evidence as text, as bytes, and as one string of bytes a class.

use algolens_core::{Error, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use std::io::Read;

/// The bytes of steps, and of a part's end.
pub(super) mod tag {
    /// End: nothing is left.
    pub const DONE: u8 = 0;
    /// The right answer against a rival.
    pub const RIGHT: u8 = 1;
    /// A rival against the right answer.
    pub const WRONG: u8 = 2;
    /// Options that no open rival needs are struck out.
    pub const KEEP: u8 = 3;
    /// End: the lists left are not decided.
    pub const OPEN: u8 = 4;
    /// End: the two parts that options of a token make.
    pub const SPLIT: u8 = 5;
    /// End: one list is left; its logits decide.
    pub const SINGLE: u8 = 6;
    /// A leaf of cells.
    pub const LEAF: u8 = 0xff;
}

/// The multiplier that a leaf's byte means: 0, or 2^((byte − 128) / 8). Any number that is not negative would do.
pub(super) fn multiplier(byte: u8) -> f64 {
    if byte == 0 { 0.0 } else { libm::exp2((f64::from(byte) - 128.0) / 8.0) }
}

/// Evidence is at most as many bytes (1 GiB).
pub(super) const MOST: u64 = 1 << 30;

/// The bytes that a certificate's text means.
///
/// # Errors
/// Text that is not base 64 of a whole zlib stream, or one of more than `most` bytes.
pub(super) fn unpack(text: &str, most: u64) -> Result<Vec<u8>> {
    let wrong = |found: String| Error::invalid("evidence", "bytes, deflated (zlib), in base 64", found);
    let deflated = STANDARD.decode(text).map_err(|error| wrong(error.to_string()))?;
    let mut bytes = Vec::new();
    let mut decoder = ZlibDecoder::new(&deflated[..]);
    decoder.by_ref().take(most + 1).read_to_end(&mut bytes).map_err(|error| wrong(error.to_string()))?;
    if bytes.len() as u64 > most {
        return Err(Error::invalid("evidence", format!("at most {most} bytes"), "more"));
    }
    match deflated.len() as u64 - decoder.total_in() {
        0 => Ok(bytes),
        more => Err(wrong(format!("{more} bytes after them"))),
    }
}

/// Reads a string of bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

/// What cannot be read: the evidence ends, or a number is too long.
fn ill_formed(found: &str) -> Error {
    Error::invalid("evidence", "whole steps of a proof", found)
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().ok_or_else(|| ill_formed("its end"))?;
        self.bytes = rest;
        Ok(*first)
    }

    /// As many bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| ill_formed("its end"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// LEB128.
    pub fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(ill_formed("a number above 64 bits"))
    }

    /// Zigzag LEB128.
    pub fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// 16 bits, the low byte first.
    pub fn options(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// The bytes of one class, without regard to what they prove.
    pub fn class(&mut self, heads: usize) -> Result<&'a [u8]> {
        let start = self.bytes;
        let mut nodes = 1_usize;
        while nodes > 0 {
            match self.byte()? {
                tag::RIGHT | tag::WRONG => self.skip_floors(heads)?,
                tag::KEEP => {}
                tag::DONE | tag::OPEN | tag::SINGLE => nodes -= 1,
                tag::SPLIT => {
                    self.number()?;
                    self.options()?;
                    nodes += 1;
                }
                other => return Err(ill_formed(&format!("the tag {other}"))),
            }
        }
        Ok(&start[..start.len() - self.bytes.len()])
    }

    fn skip_floors(&mut self, heads: usize) -> Result<()> {
        self.number()?;
        let flags = self.number()?;
        for _ in 0..(flags >> 1).count_ones() {
            self.number()?;
        }
        let mut cells = usize::from(flags & 1 != 0);
        while cells > 0 {
            cells -= 1;
            match self.byte()? {
                tag::LEAF => {
                    self.take(heads - 1)?;
                }
                _ => cells += 2,
            }
        }
        Ok(())
    }
}
