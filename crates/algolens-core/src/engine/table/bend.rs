//! Scores that are more than hidden behind their query: soft caps, windows, padding, masked keys with a share.

use super::activation::soft_cap;
use crate::{
    engine::{
        queries::Query,
        softmax::softmax,
        vector::{Numbers, get, lanes, lanes_from, lanes_mut, padded},
    },
    model::{AttentionDir, Config},
    task::Token,
};
use fearless_simd::prelude::*;
use fearless_simd_macros::simd;
use ndarray::ArrayView2;
use std::ops::Range;

/// What becomes of the scores of a model before their softmax.
pub struct Bend {
    /// Tokens of a sequence.
    seq: usize,
    cap: Option<f32>,
    /// The score of a key that a query must not see.
    masked: f32,
    pad_token: Option<Token>,
}

/// What the scores of one sequence and head are bent by.
pub struct Bent<'a> {
    pub config: &'a Config,
    pub layer: usize,
    pub bend: &'a Bend,
    /// Of each key of the sequence: 1, or 0 if it is padding.
    pub open: &'a [f32],
    /// The derivative of what the softmax is given by the products, `[query, key]`; zero where a key is masked.
    pub slope: &'a mut [f32],
}

impl Bend {
    /// None where scores are only hidden behind their query, and in a model without attention.
    pub fn of(config: &Config, seq: usize) -> Option<Self> {
        let bends = ["attn_scores_soft_cap", "attn_windows", "pad_token", "masked_score"];
        let bent = config.n_heads > 0 && config.beyond_post().any(|option| bends.contains(&option));
        bent.then(|| Self {
            seq,
            cap: config.attn_scores_soft_cap.map(|cap| cap as f32),
            masked: config.masked_score() as f32,
            pad_token: config.pad_token,
        })
    }

    /// Which keys a query's pattern may have a share of. All, where a masked one may have: if its score is no lower than
    /// others can be, or if there may be no others.
    pub fn direction(config: &Config) -> AttentionDir {
        let high = config.beyond_post().any(|option| option == "masked_score");
        let alone = config.masked_score.is_some() && config.pad_token.is_some();
        if high || alone { AttentionDir::Bidirectional } else { config.attention_dir }
    }

    /// Marks which keys of some sequences are open, `[sequence, key]`, keys padded.
    pub fn open(&self, tokens: ArrayView2<Token>, keys: usize, open: &mut Numbers) {
        for (row, sequence) in open.chunks_exact_mut(padded(keys)).zip(tokens.outer_iter()) {
            for (open, token) in row.iter_mut().zip(sequence) {
                *open = if self.pad_token == Some(*token) { 0.0 } else { 1.0 };
            }
        }
    }
}

impl Bent<'_> {
    /// Products of queries and keys become patterns; each of `keys` numbers.
    #[simd]
    pub fn patterns<S: Simd>(self, simd: S, queries: &[Query], patterns: &mut [f32], keys: usize) {
        let rows = patterns.chunks_exact_mut(keys).zip(self.slope.chunks_exact_mut(keys));
        for ((scores, slope), query) in rows.zip(queries) {
            let shown = self.config.visible_keys(self.layer, query.position, self.bend.seq);
            bend(simd, self.bend, shown, query.seen, self.open, scores, slope);
            softmax(simd, scores);
        }
    }
}

/// Caps the scores of one query, and gives keys that it must not see their score: of those from `seen` on −∞.
#[inline(always)]
fn bend<S: Simd>(
    simd: S,
    bend: &Bend,
    shown: Range<usize>,
    seen: usize,
    open: &[f32],
    scores: &mut [f32],
    slope: &mut [f32],
) {
    let of = |number: f32| S::f32s::splat(simd, number);
    let [from, to, seen] = [shown.start, shown.end, seen].map(|key| of(key as f32 - 0.5));
    let keys = lanes_mut::<S>(scores).zip(lanes_mut::<S>(slope)).zip(lanes::<S>(open));
    for (((score, slope), open), first) in keys.zip((0..).step_by(S::f32s::LEN)) {
        let key = lanes_from(simd, first);
        let raw = get(simd, score);
        let (capped, bent) = match bend.cap {
            Some(cap) => soft_cap(simd, raw, cap),
            None => (raw, of(1.0)),
        };
        let is_shown = from.simd_lt(key) & key.simd_lt(to) & of(0.5).simd_lt(get(simd, open));
        let shown_or_masked = is_shown.select(capped, of(bend.masked));
        key.simd_lt(seen).select(shown_or_masked, of(f32::NEG_INFINITY)).store_slice(score);
        is_shown.select(bent, of(0.0)).store_slice(slope);
    }
}
