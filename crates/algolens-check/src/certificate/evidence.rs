//! The evidence format: a branch-and-bound proof as a string of bytes a class, which a checker replays.
//!
//! ```text
//! node   = move* end
//! move   = 01 rival floors            the target dominates a rival (on options not kept), or
//!          02 rival floors            a rival dominates the target (on options not kept), or
//!          03                         remove the options that no open rival needs
//! floors = flags number*  [cells]     flags: bit 0: cells follow; bit h + 1: head h's floor moves by a number
//! cells  = head cells cells           the box is halved along a head, or
//!          FF multiplier*             a leaf: the Lagrange multiplier's byte for each head but the last
//! end    = 00                         nothing is left
//!          04                         left open
//!          05 token options node node split on a token: the first node has these options (u16), the second the others
//!          06                         a single list, decided by its logits
//!          07 position length tokens node node
//!                                     split on a position, where any list may have any token: the first node has these
//!                                     tokens there (a bit each, in `length` bytes), the second the others
//! ```
//! Rivals, flags, positions, lengths, tokens (by number in the class) are LEB128; floors are zigzag LEB128, in units of the certificate's
//! `step`, the floor unit.

/// Tag bytes of moves, ends and cells.
pub mod tag {
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

/// Appends an unsigned number in LEB128.
pub fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Appends a signed number in zigzag LEB128.
pub fn write_signed(bytes: &mut Vec<u8>, number: i64) {
    write_number(bytes, (number << 1 ^ number >> 63) as u64);
}

/// The Lagrange multiplier that a leaf's byte stands for: 0, or a power of 2^(1/8) from 2^(-127/8) to 2^(127/8).
pub fn multiplier(byte: u8) -> f64 {
    if byte == 0 { 0.0 } else { libm::exp2((f64::from(byte) - 128.0) / 8.0) }
}
