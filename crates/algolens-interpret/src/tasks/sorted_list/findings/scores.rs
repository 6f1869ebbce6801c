//! Claims about attention scores: QK circuits of tokens and positions, and what cancels between them.

use super::{
    evidence::Evidence,
    experiments::{LARGE, ToZero},
};
use crate::{
    claims::{
        Claim,
        Control::{RandomWeights, Relabelled},
        Measured, Thresholds, Unit,
    },
    share::share,
};
use algolens_core::random;
use ndarray::{Array1, Axis, s};
use rand::seq::index;

/// The claims about attention scores.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "large_values_attend_to_zero",
        claim: "By the QK circuit of the tokens, large values (above 35 of 50) attend to 0.",
        measure: "share of the values d above 35 (of 50), but the largest, for which 0 has the largest W_QK_full of all values in some \
                  head",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.5, 0.2),
        controls: &[RandomWeights, Relabelled],
        measured: large_to_zero,
    },
    Claim {
        id: "late_positions_avoid_small",
        claim: "Late positions are biased against attending to very small values.",
        measure: "mean W_QK_pos_query of the values up to 5 (of 50), over the last third of the positions that predict, less that of \
                  3 000 random sets of as many values, by how these spread, in the head where it is largest",
        unit: Unit::Deviations,
        behaviour: false,
        thresholds: |_| Thresholds::at_most(-2.0, -1.0),
        controls: &[RandomWeights, Relabelled],
        measured: late_avoid_small,
    },
    Claim {
        id: "cancellation",
        claim: "Large values do not attend to 0 because their late position cancels what their token prefers.",
        measure: "of the pairs of a value above 35 (of 50) and a head in which the term of the tokens prefers 0 to the right answer, the \
                  share in which the whole score does not, but would with an early position in the query's place",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.5, 0.2),
        controls: &[RandomWeights, Relabelled],
        measured: cancellation,
    },
];

/// Value (of 50) up to which the post calls values very small.
const SMALL: f64 = 5.0;

/// The share of large values whose QK circuit is largest at 0.
fn large_to_zero(evidence: &Evidence) -> Measured {
    let values = evidence.task.max_value() as usize + 1;
    let large: Vec<usize> = (evidence.scaled(LARGE) as usize + 1..values - 1).collect();
    if large.is_empty() {
        return Measured::not_asked("no such value");
    }
    let tops = |head: usize, d: usize| {
        let row = evidence.circuits.W_QK_full.slice(s![head, d, ..values]);
        row.iter().all(|score| *score <= row[0])
    };
    let found = share(&large, |d| (0..evidence.heads()).any(|head| tops(head, *d)));
    let each =
        (0..evidence.heads()).map(|head| format!("0.{head} {}", Unit::Share.number(share(&large, |d| tops(head, *d)))));
    Measured::number(found, format!("of {} values; {}", large.len(), each.collect::<Vec<_>>().join(", ")))
}

/// Random sets of values that the small ones are compared with.
const SETS: usize = 3000;

/// How far, in the head where it is largest, the mean score of the small values at late positions is from that of random sets of
/// as many values, in standard deviations of these.
fn late_avoid_small(evidence: &Evidence) -> Measured {
    let (len, values) = (evidence.task.list_len(), evidence.task.max_value() as usize + 1);
    let small = evidence.scaled(SMALL) as usize + 1;
    if len < 3 || small >= values {
        return Measured::not_asked("too few positions or values");
    }
    let late = 2 * len - len.div_ceil(3)..2 * len;
    let scores = |head: usize| -> Array1<f64> {
        let scores = evidence.circuits.W_QK_pos_query.slice(s![head, late.clone(), ..values]).mapv(f64::from);
        scores.mean_axis(Axis(0)).expect("lists of three have a late position")
    };
    let scores: Vec<Array1<f64>> = (0..evidence.heads()).map(scores).collect();
    let means = |set: &[usize]| -> Vec<f64> {
        scores.iter().map(|scores| set.iter().map(|value| scores[*value]).sum::<f64>() / small as f64).collect()
    };
    let mut rng = random::stream(0, "random sets of values");
    let sets: Vec<Vec<f64>> = (0..SETS).map(|_| means(&index::sample(&mut rng, values, small).into_vec())).collect();
    let (mut largest, mut each) = (f64::NEG_INFINITY, Vec::new());
    for (head, of_small) in means(&(0..small).collect::<Vec<_>>()).into_iter().enumerate() {
        let drawn: Array1<f64> = sets.iter().map(|means| means[head]).collect();
        let distance = (of_small - drawn.mean().unwrap_or(0.0)) / drawn.std(1.0).max(f64::MIN_POSITIVE);
        let lower = drawn.iter().filter(|mean| **mean <= of_small).count();
        each.push(format!("0.{head} {distance:.1}, as low in {lower} of {SETS} sets"));
        largest = largest.max(distance);
    }
    Measured::number(largest, each.join("; "))
}

/// The share of large values and heads whose preference for 0 is undone by the position.
fn cancellation(evidence: &Evidence) -> Measured {
    let prefers: Vec<&ToZero> = evidence.to_zero.iter().filter(|found| found.tokens > 0.0).collect();
    if prefers.is_empty() {
        return Measured::not_asked("no token term prefers 0");
    }
    let undone = |found: &&ToZero| found.score < 0.0;
    let back = |found: &&ToZero| found.early > 0.0;
    let detail = format!(
        "of {} pairs; the right answer wins in {}, 0 again with an early position in {}",
        prefers.len(),
        Unit::Share.number(share(&prefers, undone)),
        Unit::Share.number(share(&prefers, back))
    );
    Measured::number(share(&prefers, |found| undone(found) && back(found)), detail)
}
