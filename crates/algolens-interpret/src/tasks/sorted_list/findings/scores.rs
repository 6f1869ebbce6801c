//! Claims about attention scores: QK circuits of tokens and positions, and the terms that cancel.

use super::{
    claim::{Claim, Measured, percent},
    evidence::Evidence,
    experiments::ToZero,
};
use crate::{KEY_TERMS, QUERY_TERMS, claims::Unit, share::share};
use ndarray::s;

/// The claims about attention scores.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "large_values_attend_to_zero",
        claim: "By the QK circuit of the tokens, large values (above 35 of 50) attend more to 0 than to the next value.",
        measure: "share of the values d above 35 (of 50) for which W_QK_full, in some head, is larger at 0 than at d+1",
        unit: Unit::Share,
        thresholds: "holds from 50 %, partly from 10 %",
        measured: large_to_zero,
    },
    Claim {
        id: "late_positions_avoid_small",
        claim: "Late positions are biased against attending to very small values.",
        measure: "share of (head, late position) pairs whose W_QK_pos_query is lower on average over the values up to 5 (of 50) \
                  than over the others; late are the last third of the positions that predict",
        unit: Unit::Share,
        thresholds: "holds from 90 %, partly from 50 %",
        measured: late_avoid_small,
    },
    Claim {
        id: "cancellation",
        claim: "A large value's (40 of 50) attention to 0 by tokens is cancelled by the query's position.",
        measure: "score of 0 less that of the right answer, in random lists with both values, in the head that prefers 0 most",
        unit: Unit::Logits,
        thresholds: "holds where the term of the two tokens is above 0, that of position and token below, and the sum below; \
                     partly where the sum is not",
        measured: cancellation,
    },
];

/// Value (of 50) above which the post calls values very high.
const LARGE: f64 = 35.0;
/// Value (of 50) up to which the post calls values very small.
const SMALL: f64 = 5.0;

/// The share of large values whose QK circuit is larger at 0 than at the next value.
fn large_to_zero(evidence: &Evidence) -> Measured {
    let large: Vec<usize> = evidence
        .values()
        .filter(|d| *d > evidence.scaled(LARGE) && *d < evidence.task.max_value())
        .map(|d| d as usize)
        .collect();
    if large.is_empty() {
        return Measured::not_asked("no such value");
    }
    let prefers =
        |qk: &ndarray::Array3<f32>, d: usize| (0..evidence.heads()).any(|h| qk[[h, d, 0]] > qk[[h, d, d + 1]]);
    let drawn = share(&large, |d| prefers(&evidence.circuits.W_QK_full, *d));
    let effective = share(&large, |d| prefers(&evidence.effective.scores, *d));
    Measured::at_least(drawn, [0.5, 0.1], format!("by the real scores {}", percent(effective)))
}

/// The share of (head, late position) pairs whose positional QK circuit is lower over small values.
fn late_avoid_small(evidence: &Evidence) -> Measured {
    let (len, values) = (evidence.task.list_len(), evidence.task.max_value() as usize + 1);
    let small = evidence.scaled(SMALL) as usize + 1;
    if len < 3 || small >= values {
        return Measured::not_asked("too few positions or values");
    }
    let late = 2 * len - len.div_ceil(3)..2 * len;
    let bias = |head: usize, position: usize| {
        let row = evidence.circuits.W_QK_pos_query.slice(s![head, position, ..values]);
        let mean = |from: usize, to: usize| {
            row.slice(s![from..to]).iter().map(|x| f64::from(*x)).sum::<f64>() / (to - from) as f64
        };
        mean(0, small) - mean(small, values)
    };
    let pairs: Vec<(usize, usize)> =
        (0..evidence.heads()).flat_map(|head| late.clone().map(move |position| (head, position))).collect();
    let against = share(&pairs, |(head, position)| bias(*head, *position) < 0.0);
    let head_share = |head: usize| {
        let pairs: Vec<_> = pairs.iter().filter(|(h, _)| *h == head).collect();
        format!("0.{head} {}", percent(share(&pairs, |(head, position)| bias(*head, *position) < 0.0)))
    };
    let detail = (0..evidence.heads()).map(head_share).collect::<Vec<_>>().join(", ");
    Measured::at_least(against, [0.9, 0.5], detail)
}

/// The sum of the score terms of 0 less those of the target.
fn cancellation(evidence: &Evidence) -> Measured {
    let Some(ToZero { token, head, terms }) = &evidence.to_zero else {
        return Measured::not_asked("no list has 0, a large value and a larger one");
    };
    let sum: f64 = terms.iter().flatten().sum();
    let (tokens, position) = (terms[0][0], terms[1][0]);
    let mut parts: Vec<String> = Vec::new();
    for (query, key_terms) in QUERY_TERMS.iter().zip(terms) {
        parts.extend(KEY_TERMS.iter().zip(key_terms).map(|(key, term)| format!("{query}·{key} {term:+.2}")));
    }
    let detail = format!("{token} → 0 in 0.{head}: {}", parts.join(", "));
    Measured::judged(sum, tokens > 0.0 && position < 0.0 && sum < 0.0, tokens > 0.0 && position < 0.0, detail)
}
