//! Decoding of evidence: text to bytes, and bytes to one string a class.

use algolens_core::{Error, Result};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flate2::read::ZlibDecoder;
use std::io::Read;

/// Tag bytes of moves, ends and cells.
pub(super) mod tag {
    /// End: every list is decided.
    pub const DONE: u8 = 0;
    /// Move: the target dominates a rival.
    pub const RIGHT: u8 = 1;
    /// Move: a rival dominates the target.
    pub const WRONG: u8 = 2;
    /// Move: options that no open rival needs are removed.
    pub const KEEP: u8 = 3;
    /// End: the node is left open.
    pub const OPEN: u8 = 4;
    /// End: a split; two nodes follow.
    pub const SPLIT: u8 = 5;
    /// End: a single list, decided by its logits.
    pub const SINGLE: u8 = 6;
    /// End: a split on a position; two nodes follow.
    pub const SPLIT_AT: u8 = 7;
    /// A leaf of cells.
    pub const LEAF: u8 = 0xff;
}

/// The Lagrange multiplier that a leaf's byte stands for: 0, or 2^((byte − 128) / 8). Any number that is not negative
/// would do.
pub(super) fn multiplier(byte: u8) -> f64 {
    if byte == 0 { 0.0 } else { libm::exp2((f64::from(byte) - 128.0) / 8.0) }
}

/// Bytes that inflated evidence may have at most (1 GiB).
pub(super) const MOST: u64 = 1 << 30;

/// The evidence bytes of a certificate's text: base 64, then zlib.
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

/// Cursor over evidence bytes.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

/// The error of evidence that cannot be read.
fn ill_formed(found: &str) -> Error {
    Error::invalid("evidence", "whole moves of a proof", found)
}

impl<'a> Reader<'a> {
    /// A cursor at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// True at the end.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        let (first, rest) = self.bytes.split_first().ok_or_else(|| ill_formed("its end"))?;
        self.bytes = rest;
        Ok(*first)
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or_else(|| ill_formed("its end"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// The next unsigned number, in LEB128.
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

    /// The next signed number, in zigzag LEB128.
    pub fn signed(&mut self) -> Result<i64> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The next option bits: 16 bits, the low byte first.
    pub fn options(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes([self.byte()?, self.byte()?]))
    }

    /// The next bits: how many bytes, and these.
    pub fn bits(&mut self) -> Result<&'a [u8]> {
        let length = self.number()?;
        self.take(usize::try_from(length).map_err(|_| ill_formed("a length above the memory's"))?)
    }

    /// The bytes of the next class's proof, by the grammar alone.
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
                tag::SPLIT_AT => {
                    self.number()?;
                    self.bits()?;
                    nodes += 1;
                }
                other => return Err(ill_formed(&format!("the tag {other}"))),
            }
        }
        Ok(&start[..start.len() - self.bytes.len()])
    }

    /// Passes over rival, floors and cells.
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
