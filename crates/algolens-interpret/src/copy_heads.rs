//! Copying heads of a block: for each value, the head with the largest OV diagonal there.

use super::{Circuits, Head};
use algolens_core::{Error, Result, engine::loss::argmax, task::Token};
use ndarray::{ArrayView1, s};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The copying head of every value: the head of one block with the largest OV diagonal there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CopyHeads {
    /// Values in ascending order, in ranges with one copying head.
    pub ranges: Vec<CopyHeadRange>,
    /// Share of the values whose OV row, in their copying head, peaks on themselves.
    pub copied: f64,
}

impl CopyHeads {
    /// The copying head of a value.
    ///
    /// # Errors
    /// A token that is no value.
    pub fn copying_head(&self, token: Token) -> Result<Head> {
        let range = self.ranges.iter().find(|range| (range.from..=range.to).contains(&token));
        range.map(|range| range.head).ok_or_else(|| Error::invalid("token", "a value that a head serves", token))
    }
}

/// Neighbouring values with the same copying head.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyHeadRange {
    /// Their copying head.
    pub head: Head,
    /// The first value.
    pub from: Token,
    /// The last value.
    pub to: Token,
}

/// As `28–37 by 0.0`.
impl fmt::Display for CopyHeadRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}–{} by {}", self.from, self.to, self.head)
    }
}

/// The copying head of each of the first `values` tokens: the one with the largest `W_OV_full[token, token]`.
///
/// # Errors
/// More values than the circuit has tokens or classes.
pub fn copy_heads(circuits: &Circuits, values: usize) -> Result<CopyHeads> {
    let ov = circuits.W_OV_full.view();
    let (_, sources, predictions) = ov.dim();
    if values == 0 || values > sources.min(predictions) {
        return Err(Error::invalid("values", format!("1 to {}", sources.min(predictions)), values));
    }
    let mut ranges: Vec<CopyHeadRange> = Vec::new();
    let mut copied = 0;
    for token in 0..values {
        let head = argmax(ov.slice(s![.., token, token]));
        let row: ArrayView1<f32> = ov.slice(s![head, token, ..]);
        copied += usize::from(argmax(row) == token);
        let (head, token) = (Head { layer: circuits.layer, head }, token as Token);
        match ranges.last_mut() {
            Some(range) if range.head == head => range.to = token,
            _ => ranges.push(CopyHeadRange { head, from: token, to: token }),
        }
    }
    Ok(CopyHeads { ranges, copied: copied as f64 / values as f64 })
}
