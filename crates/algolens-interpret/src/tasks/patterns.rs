//! Attention patterns over data, example by example.

use crate::{Head, Runner, Subject};
use algolens_core::{
    Result,
    engine::{
        hooks::{BlockPoint, Filter, HookPoint},
        loss::argmax,
    },
    task::{Dataset, Token},
};
use ndarray::{ArrayView1, ArrayView2, Axis, Ix4, s};

/// The attention of one head on one example.
pub struct Attended<'a> {
    /// The head.
    pub head: Head,
    /// The example's index within the data.
    pub example: usize,
    /// Its tokens.
    pub tokens: ArrayView1<'a, Token>,
    /// `[query, key]`.
    pub pattern: ArrayView2<'a, f32>,
}

impl Attended<'_> {
    /// The key with the largest weight of a query; the first of equals.
    pub fn top(&self, query: usize) -> usize {
        argmax(self.pattern.row(query))
    }

    /// How far a query's weights are from even ones over the first so many keys: half the sum of differences.
    pub fn distance_from_even(&self, query: usize, keys: usize) -> f64 {
        let even = 1.0 / keys as f64;
        self.pattern.row(query).iter().take(keys).map(|weight| (f64::from(*weight) - even).abs()).sum::<f64>() / 2.0
    }
}

/// Calls `each` with the attention of every head of a block, example by example.
///
/// # Errors
/// Data that does not fit the model, or a block that it does not have.
pub fn each_pattern(subject: Subject, data: &Dataset, layer: usize, mut each: impl FnMut(Attended)) -> Result<()> {
    let name = HookPoint::Block(layer, BlockPoint::Pattern).to_string();
    Runner::new(subject).run(data.tokens(), &[], &[], Filter::Names(&[&name]), |chunk| {
        let patterns = chunk.cache.get::<Ix4>(&name)?;
        for (at, example) in chunk.examples.enumerate() {
            for head in 0..patterns.len_of(Axis(1)) {
                let pattern = patterns.slice(s![at, head, .., ..]);
                let tokens = data.tokens().index_axis_move(Axis(0), example);
                each(Attended { head: Head { layer, head }, example, tokens, pattern });
            }
        }
        Ok(())
    })
}
