//! How a proof is written down: a string of bytes a class, which a checker replays.
//!
//! ```text
//! node   = step* end
//! step   = 01 rival floors            a right answer against a wrong one, or
//!          02 rival floors            a wrong answer against the right one, or
//!          03                         keep what no rival excludes
//! floors = flags number*  [cells]     flags: bit 0: cells follow; bit h + 1: head h's floor moves by a number
//! cells  = head cells cells           the box is halved along a head, or
//!          FF multiplier*             a leaf: a byte for each head but the last
//! end    = 00                         nothing is left
//!          04                         left open
//!          05 token options node node split on a token: the options (u16) go left, the others right
//!          06                         a single list, decided by its logits
//! ```
//! Rivals, flags, tokens (by number in the class) are LEB128; floors are zigzag LEB128, in units of the certificate's step.

/// The bytes of steps and ends.
pub mod tag {
    /// Nothing is left of the node.
    pub const DONE: u8 = 0;
    /// The right answer against a rival.
    pub const RIGHT: u8 = 1;
    /// A rival against the right answer.
    pub const WRONG: u8 = 2;
    /// Options that no open rival needs are struck out.
    pub const KEEP: u8 = 3;
    /// The node is left open.
    pub const OPEN: u8 = 4;
    /// Two nodes follow.
    pub const SPLIT: u8 = 5;
    /// One list.
    pub const SINGLE: u8 = 6;
    /// A leaf of cells.
    pub const LEAF: u8 = 0xff;
}

/// Appends an unsigned number.
pub fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a signed number.
pub fn write_signed(bytes: &mut Vec<u8>, number: i64) {
    write_number(bytes, (number << 1 ^ number >> 63) as u64);
}

/// What a leaf's byte means: 0, or a power of 2^(1/8) from 2^(-127/8) to 2^(127/8).
pub fn multiplier(byte: u8) -> f64 {
    if byte == 0 { 0.0 } else { libm::exp2((f64::from(byte) - 128.0) / 8.0) }
}
