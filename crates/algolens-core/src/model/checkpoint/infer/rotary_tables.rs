//! The buffers `rotary_sin` and `rotary_cos`, which say how queries and keys are rotated.

use super::super::state_dict::StateDict;
use crate::{Error, Result};

/// What the tables of a block say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tables {
    pub n_ctx: usize,
    pub rotary_dim: usize,
    /// The base of the angles; none where every angle is the position itself.
    pub rotary_base: Option<f64>,
    /// Whether adjacent dimensions share an angle; none where all do.
    pub adjacent_pairs: Option<bool>,
}

/// The tables of the first block that has some.
///
/// # Errors
/// Tables that are no sines and cosines of angles in proportion to positions.
pub(super) fn read(state_dict: &StateDict) -> Result<Option<Tables>> {
    let Some(name) = state_dict.names().find(|name| name.ends_with(".attn.rotary_sin")) else { return Ok(None) };
    let cos_name = name.replace("rotary_sin", "rotary_cos");
    let ([n_ctx, rotary_dim], cos_shape) = (state_dict.shape(name)?, state_dict.shape::<2>(&cos_name)?);
    if [n_ctx, rotary_dim] != cos_shape {
        return Err(Error::invalid(cos_name, format!("shape {:?}", [n_ctx, rotary_dim]), format!("{cos_shape:?}")));
    }
    let (sin, cos) = (numbers(state_dict, name)?, numbers(state_dict, &cos_name)?);
    if rotary_dim == 0 || n_ctx < 2 {
        return Ok(Some(Tables { n_ctx, rotary_dim, rotary_base: None, adjacent_pairs: None }));
    }
    let angles: Vec<f64> =
        (rotary_dim..2 * rotary_dim).map(|at| f64::from(sin[at]).atan2(f64::from(cos[at]))).collect();
    let same = |a: f64, b: f64| (a - b).abs() <= 1e-6 * a.abs();
    let adjacent_pairs =
        (rotary_dim > 2 && !angles.iter().all(|angle| same(*angle, angles[0]))).then(|| same(angles[0], angles[1]));
    let second = if adjacent_pairs == Some(true) { angles.get(2) } else { angles.get(1) };
    let rotary_base = adjacent_pairs.and(second).map(|angle| rounded(angle.powf(-(rotary_dim as f64) / 2.0)));
    let tables = Tables { n_ctx, rotary_dim, rotary_base, adjacent_pairs };
    match tables.deviation(&sin, &cos) {
        None => Ok(Some(tables)),
        Some(at) => Err(Error::invalid(name, "sines of angles in proportion to positions", format!("others at {at}"))),
    }
}

impl Tables {
    /// The first number of the tables that is not what they say.
    fn deviation(&self, sin: &[f32], cos: &[f32]) -> Option<usize> {
        let base = self.rotary_base.unwrap_or(1.0);
        (0..sin.len()).find(|at| {
            let (position, column) = (at / self.rotary_dim, at % self.rotary_dim);
            let pair =
                if self.adjacent_pairs == Some(true) { column / 2 } else { column % (self.rotary_dim / 2).max(1) };
            let angle = position as f64 / base.powf(2.0 * pair as f64 / self.rotary_dim as f64);
            // Angles of far positions lose digits in single precision.
            let slack = 1e-4 + 1e-6 * position as f64;
            let differs = |found: f32, expected: f64| {
                let off = (f64::from(found) - expected).abs();
                off.is_nan() || off > slack
            };
            differs(sin[*at], angle.sin()) || differs(cos[*at], angle.cos())
        })
    }
}

/// The whole number that a base is, but for the rounding of single precision.
fn rounded(base: f64) -> f64 {
    let whole = base.round();
    if (base - whole).abs() <= 1e-4 * base { whole } else { base }
}

fn numbers(state_dict: &StateDict, name: &str) -> Result<Vec<f32>> {
    let numbers = state_dict.get(name).and_then(|tensor| tensor.floats());
    numbers.ok_or_else(|| Error::invalid(name, "numbers", "others"))
}
