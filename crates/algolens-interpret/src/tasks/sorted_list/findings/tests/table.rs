//! The table: for every claim, how evidence is made of a number, and what is found of some numbers.

use super::{
    super::{Evidence, Run, Runs, ToZero},
    made::{SEP, blank, copied, head_of, site, sites},
};
use crate::{
    claims::Verdict::{self, Fails, Holds, Partly},
    tasks::sorted_list::{CloseTriples, PredictionSite, TripleList},
};
use algolens_core::task::Token;
use ndarray::{Array2, Array3, s};

/// A claim's id, its evidence by a number, and the verdicts on some numbers.
type Row = (&'static str, fn(f64) -> Evidence, &'static [(f64, Verdict)]);

/// Rates are over a thousand lists or more, so that their intervals reach a few points; a number nearer to a threshold than that is
/// found partly true.
pub const TABLE: &[Row] = &[
    (
        "next_larger",
        next_larger,
        &[(0.85, Holds), (0.79, Partly), (0.81, Partly), (0.55, Partly), (0.49, Partly), (0.45, Fails)],
    ),
    ("sep_to_smallest", sep_to_smallest, &[(0.98, Holds), (0.92, Partly), (0.84, Partly), (0.76, Fails)]),
    ("predicted_is_attended", predicted_is_attended, &[(0.85, Holds), (0.75, Partly), (0.65, Fails)]),
    ("second_successor", second_successor, &[(3.0, Holds), (2.1, Partly), (1.9, Partly), (1.3, Fails)]),
    ("second_successor_is_harmless", harmless, &[(0.03, Holds), (0.07, Partly), (0.15, Partly), (0.3, Fails)]),
    (
        "sep_falls_off",
        sep_falls_off,
        &[(25.0, Holds), (35.0, Holds), (24.0, Partly), (36.0, Partly), (1.0, Partly), (42.0, Fails)],
    ),
    ("large_values_break_sep", large_values, &[(0.15, Holds), (0.05, Partly), (0.0, Fails)]),
    ("large_lists_fail_at_sep", large_lists, &[(0.6, Holds), (0.4, Partly), (0.2, Partly), (0.02, Fails)]),
    ("head_order", head_order, &[(-0.5, Holds), (0.45, Holds), (0.55, Partly), (0.75, Partly), (0.85, Fails)]),
    ("split", split, &[(2.0, Holds), (4.0, Holds), (5.0, Partly), (8.0, Partly), (9.0, Fails), (1.0, Fails)]),
    (
        "minor_head_serves_28_to_37",
        minor_head,
        &[(37.0, Holds), (35.0, Holds), (34.0, Partly), (32.0, Partly), (31.0, Fails)],
    ),
    ("minor_heads_anti_copy", minor_heads, &[(21.0, Holds), (20.0, Partly), (9.0, Partly), (8.0, Fails)]),
    ("main_head_does_not_anti_copy", main_head, &[(4.0, Holds), (5.0, Partly), (7.0, Partly), (8.0, Fails)]),
    ("copying", copying, &[(0.95, Holds), (0.94, Partly), (0.5, Partly), (0.49, Fails)]),
    ("ov_asymmetry", ov_asymmetry, &[(30.0, Holds), (29.0, Partly), (20.0, Partly), (19.0, Fails)]),
    ("direct_path_boosts_next", direct_path, &[(32.0, Holds), (31.0, Partly), (30.0, Partly), (29.0, Fails)]),
    ("large_values_attend_to_zero", large_to_zero, &[(7.0, Holds), (6.0, Partly), (3.0, Partly), (2.0, Fails)]),
    ("late_positions_avoid_small", late_positions, &[(4.0, Holds), (3.0, Partly), (2.0, Fails)]),
    ("cancellation", cancellation, &[(10.0, Holds), (9.0, Partly), (4.0, Partly), (3.0, Fails)]),
    ("large_gaps_fail", large_gaps, &[(0.1, Holds), (0.03, Partly), (0.0, Fails)]),
    ("gaps_lose_the_answer", lost_answer, &[(0.45, Holds), (0.55, Partly), (0.75, Partly), (0.85, Fails)]),
    ("triple_signs", triple_signs, &[(8.0, Holds), (7.0, Partly), (5.0, Partly), (4.0, Fails)]),
    ("y_ahead", y_ahead, &[(8.0, Holds), (7.0, Partly), (6.0, Fails)]),
    ("cross_terms_decide", cross_terms, &[(0.3, Holds), (0.1, Partly), (0.01, Fails)]),
    ("runs_survive_without_direct_path", runs_survive, &[(0.03, Holds), (0.1, Partly), (0.3, Fails)]),
    ("direct_path_silences_d", silences_d, &[(0.1, Holds), (0.03, Partly), (0.0, Fails)]),
];

/// The share of steps that attend to the target in the head that copies it, 0.1; the other head always does.
fn next_larger(share: f64) -> Evidence {
    Evidence { sites: sites(1000, [5, 10], 1.0 - share, |site| site.top_attended[1] = 20), ..blank() }
}

fn sep_to_smallest(share: f64) -> Evidence {
    // 0.0 copies 30.
    Evidence { sites: sites(1000, [SEP, 30], 1.0 - share, |site| site.top_attended[0] = 40), ..blank() }
}

fn predicted_is_attended(share: f64) -> Evidence {
    Evidence { sites: sites(1000, [5, 10], 1.0 - share, |site| site.predicted = 20), ..blank() }
}

/// Elsewhere a tenth of the steps attends more to the second value; near ones so many times as often. They are in lists of their
/// own.
fn second_successor(times: f64) -> Evidence {
    let prefer = |site: &mut PredictionSite| site.attention[1] = [0.0, 0.2, 0.3];
    let mut near = sites(2000, [5, 6], 0.1 * times, prefer);
    near.iter_mut().for_each(|site| site.second = Some(9));
    let mut far = sites(2000, [5, 6], 0.1, prefer);
    far.iter_mut().for_each(|site| (site.second, site.list) = (Some(10), site.list + 2000));
    Evidence { sites: [near, far].concat(), ..blank() }
}

/// The share of wrong answers where the second value gets more attention; elsewhere none is right.
fn harmless(share: f64) -> Evidence {
    let mut there = sites(1000, [5, 6], share, |site| site.predicted = 9);
    there.iter_mut().for_each(|site| (site.second, site.attention[1]) = (Some(9), [0.0, 0.2, 0.3]));
    let mut elsewhere = sites(1000, [5, 6], 1.0, |site| site.predicted = 9);
    elsewhere.iter_mut().for_each(|site| site.second = Some(9));
    Evidence { sites: [there, elsewhere].concat(), ..blank() }
}

/// All lists whose smallest value is below this one are right, and no others.
fn sep_falls_off(from: f64) -> Evidence {
    let member = |smallest: Token| {
        let wrong = f64::from(u8::from(f64::from(smallest) >= from));
        (smallest, sites(20, [SEP, smallest], wrong, |site| site.predicted = 50))
    };
    Evidence { smallest: (0..=41).map(member).collect(), ..blank() }
}

/// The wrong share where the smallest value is 30; all other lists are right, but those from 13 to 24, where none is.
fn large_values(share: f64) -> Evidence {
    let member = |smallest: Token| {
        let wrong = match smallest {
            13..=24 => 1.0,
            30 => share,
            _ => 0.0,
        };
        (smallest, sites(1000, [SEP, smallest], wrong, |site| site.predicted = 50))
    };
    Evidence { smallest: (0..=41).map(member).collect(), ..blank() }
}

fn large_lists(share: f64) -> Evidence {
    let large = sites(1000, [SEP, 30], share, |site| site.predicted = 40);
    // Sites at sorted values do not count.
    let sorted = sites(1000, [5, 10], 1.0, |site| site.predicted = 40);
    Evidence { large, sites: [sites(1000, [SEP, 2], 0.0, |_| {}), sorted].concat(), ..blank() }
}

fn head_order(second: f64) -> Evidence {
    let mut evidence = blank();
    evidence.costs.shapley = [(head_of(0), second), (head_of(1), 1.0)].into();
    evidence
}

fn split(ranges: f64) -> Evidence {
    let ranges: Vec<(usize, Token, Token)> = (0..ranges as Token).map(|at| (at as usize % 2, at, at)).collect();
    Evidence { copy_heads: copied(&ranges), ..blank() }
}

/// 0.0 copies 28 up to this value.
fn minor_head(to: f64) -> Evidence {
    Evidence { copy_heads: copied(&[(1, 0, 27), (0, 28, to as Token), (1, to as Token + 1, 50)]), ..blank() }
}

/// So many of the 42 values of 0.1 are the minimum of their row in 0.0; of the others the next value is.
fn minor_heads(values: f64) -> Evidence {
    let mut evidence = blank();
    for (at, value) in (0..28).chain(37..51).enumerate() {
        let minimum = if at < values as usize { value } else { value + 1 };
        evidence.circuits.W_OV_full[[0, value, minimum]] = -1.0;
    }
    evidence
}

/// So many of the nine values of 0.0 have a negative diagonal in 0.1, and 0.0 anti-copies.
fn main_head(values: f64) -> Evidence {
    let mut evidence = minor_heads(42.0);
    (28..28 + values as usize).for_each(|value| evidence.circuits.W_OV_full[[1, value, value]] = -1.0);
    evidence
}

fn copying(share: f64) -> Evidence {
    let mut evidence = blank();
    evidence.copy_heads.copied = share;
    evidence
}

/// So many of the 49 values have both signs in the head that copies them; of the others only one.
fn ov_asymmetry(values: f64) -> Evidence {
    let mut evidence = blank();
    for value in 1..50 {
        let head = usize::from(!(28..=36).contains(&value));
        evidence.circuits.W_OV_full[[head, value, value - 1]] = 1.0;
        evidence.circuits.W_OV_full[[head, value, value + 1]] = if value <= values as usize { -1.0 } else { 1.0 };
    }
    evidence
}

fn direct_path(values: f64) -> Evidence {
    let mut evidence = blank();
    (0..values as usize).for_each(|d| evidence.direct_path[[d, d + 1]] = 1.0);
    evidence
}

/// 0 tops the row of so many of 36 to 49, in 0.0; in 0.1 it never does.
fn large_to_zero(values: f64) -> Evidence {
    let mut evidence = blank();
    for (at, d) in (36..50).enumerate() {
        (0..2).for_each(|head| evidence.circuits.W_QK_full[[head, d, d + 1]] = 1.0);
        evidence.circuits.W_QK_full[[0, d, 0]] = if at < values as usize { 2.0 } else { 0.5 };
    }
    evidence
}

/// Eleven values have a score of −1, all others of 0: so many of the small ones in 0.1, all in 0.0. A hypergeometric mean of
/// 66/51 and standard deviation of 0.96 in six values: four are 2.8 deviations off, three 1.8, two 0.7.
fn late_positions(small: f64) -> Evidence {
    let mut evidence = blank();
    for (head, small) in [(0, 6), (1, small as usize)] {
        for value in (0..small).chain(20..31 - small) {
            evidence.circuits.W_QK_pos_query.slice_mut(s![head, 16..20, value]).fill(-1.0);
        }
    }
    evidence
}

/// Of 20 pairs whose tokens prefer 0, so many in which the position undoes that and an early one does not; the others lack one or
/// the other. Pairs whose tokens do not prefer 0 do not count.
fn cancellation(pairs: f64) -> Evidence {
    let pair = |at: usize| {
        let undone = ToZero { d: 40, head: 0, tokens: 1.0, score: -1.0, early: 1.0 };
        match at {
            20.. => ToZero { tokens: -1.0, ..undone },
            _ if at < pairs as usize => undone,
            _ if at.is_multiple_of(2) => ToZero { score: 1.0, ..undone },
            _ => ToZero { early: -1.0, ..undone },
        }
    };
    Evidence { to_zero: (0..40).map(pair).collect(), ..blank() }
}

/// Three gaps: the largest with this share wrong, the middle one with all.
fn large_gaps(share: f64) -> Evidence {
    let member = |(gap, wrong): (Token, f64)| {
        let mut sites = sites(2000, [5, 5 + gap], wrong, |site| site.predicted = 5);
        sites.iter_mut().for_each(|site| site.list += gap as usize * 2000);
        (gap, sites)
    };
    Evidence { gaps: [(1, 0.0), (2, 1.0), (3, share)].map(member).into(), ..blank() }
}

/// Wrong steps have so much attention on y in the head that copies it, as a part of that of right steps. A gap that is always
/// wrong does not count, nor does attention in the other head.
fn lost_answer(part: f64) -> Evidence {
    let step = |list: usize, right: bool| {
        let mut step = site(list, 5, 10);
        step.predicted = if right { 10 } else { 7 };
        step.attention = vec![[0.0, 0.5, 0.0], [0.0, if right { 0.4 } else { 0.4 * part }, 0.0]];
        step
    };
    let mixed: Vec<_> = (0..20).map(|list| step(list, list < 10)).collect();
    let mut lost: Vec<_> = (20..40).map(|list| step(list, false)).collect();
    lost.iter_mut().for_each(|step| step.attention[1][1] = 1.0);
    Evidence { gaps: vec![(5, mixed), (6, lost)], ..blank() }
}

/// Ten triples with as much attention on z as on y, of which so many have the attributions given first, and ten with more on y,
/// which have the second.
fn triples(count: f64, [these, others]: [[[f64; 2]; 2]; 2]) -> Evidence {
    let cell = |triple: usize, prediction: usize, source: usize| {
        let dla = if triple < count as usize { these } else { others };
        dla[prediction][source]
    };
    let triples = CloseTriples {
        tokens: Array2::zeros((20, 3)),
        dla: Array3::from_shape_fn((20, 2, 2), |(triple, prediction, source)| cell(triple, prediction, source)),
        attention: Array2::from_shape_fn(
            (20, 2),
            |(triple, source)| if triple < 10 || source == 0 { 0.3 } else { 0.2 },
        ),
        lists: Vec::new(),
    };
    Evidence { triples, ..blank() }
}

fn triple_signs(count: f64) -> Evidence {
    triples(count, [[[2.0, 0.1], [-0.1, 2.0]], [[2.0, 0.1], [0.1, 2.0]]])
}

fn y_ahead(count: f64) -> Evidence {
    triples(count, [[[2.0, 1.0], [-1.0, 3.0]], [[2.0, 0.5], [-0.4, 3.0]]])
}

/// A thousand lists in which y is ahead by 1 logit; the cross terms are 2 of that in a share, the direct path 0.5 in all.
fn cross_terms(share: f64) -> Evidence {
    let mut evidence = triples(10.0, [[[1.0; 2]; 2]; 2]);
    let list = |at: usize| {
        let cross = if at < (1000.0 * share).round() as usize { 1.0 } else { 0.0 };
        TripleList { triple: 0, dla: [[0.0, cross], [-cross, 0.0]], direct: [0.5, 0.0], logits: [3.0, 2.0] }
    };
    // A triple with more attention on y does not count.
    let decided = TripleList { triple: 15, dla: [[0.0, 9.0], [-9.0, 0.0]], direct: [9.0, 0.0], logits: [3.0, 2.0] };
    evidence.triples.lists = (0..1000).map(list).chain([decided; 100]).collect();
    evidence
}

/// Two thousand runs 5, 6, 7, of which a share has this answer without the direct path, and the others are right; all are with it.
fn answers(share: f64, answer: Token) -> Evidence {
    let run = |at: usize| {
        let without = if at < (2000.0 * share).round() as usize { answer } else { 6 };
        Run { values: [5, 6, 7], answer: 6, without }
    };
    Evidence { runs: Runs { random: (0..2000).map(run).collect(), post: Vec::new() }, ..blank() }
}

fn runs_survive(share: f64) -> Evidence {
    answers(share, 7)
}

fn silences_d(share: f64) -> Evidence {
    answers(share, 5)
}
