//! Claims about the division of labour between heads.

use super::evidence::Evidence;
use crate::{
    Head,
    claims::{
        Claim,
        Control::{RandomWeights, Relabelled},
        Measured, Thresholds, Unit, Verdict,
    },
    share::share,
};
use algolens_core::{
    engine::loss::argmax,
    task::{SortedList, Token},
};
use ndarray::s;
use std::collections::BTreeMap;

/// The claims about the division of labour between heads.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "head_order",
        claim: "One head matters more than the others.",
        measure: "the second largest Shapley value of a head, in the loss gained by mean-ablating sets of heads, as a part of the \
                  largest",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_most(0.5, 0.8),
        controls: &[RandomWeights],
        measured: head_order,
    },
    Claim {
        id: "split",
        claim: "The heads split the vocabulary into a few ranges, each served by one of them.",
        measure: "number of ranges of neighbouring values with the largest OV diagonal in the same head",
        unit: Unit::Count,
        behaviour: false,
        thresholds: |evidence| {
            let heads = evidence.heads() as f64;
            Thresholds::within([2.0, 2.0 * heads], [2.0, 4.0 * heads])
        },
        controls: &[RandomWeights, Relabelled],
        measured: split,
    },
    Claim {
        id: "minor_head_serves_28_to_37",
        claim: "The less important head deals with values in the range 28 to 37 (roughly), the other with most other values.",
        measure: "values that the head with fewer values copies and that lie in 28 to 37, as a part of the values of which either is \
                  true",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights, Relabelled],
        measured: post_ranges,
    },
    Claim {
        id: "minor_heads_anti_copy",
        claim: "The other heads anti-copy where the main head copies.",
        measure: "over the values that the head with the most values serves, the share whose own class is the minimum of their OV \
                  row in the other heads",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| ANTI_COPY,
        controls: &[RandomWeights],
        measured: anti_copied,
    },
    Claim {
        id: "main_head_does_not_anti_copy",
        claim: "The main head does not anti-copy where other heads copy.",
        measure: "share of negative OV diagonals in the main head, over the values that other heads serve",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_most(0.5, 0.8),
        controls: &[RandomWeights],
        measured: main_head,
    },
];

/// Loss increase, in nats, up to which no head counts as mattering.
const NEGLIGIBLE: f64 = 0.1;

/// The second largest Shapley value as a part of the largest.
fn head_order(evidence: &Evidence) -> Measured {
    let costs = &evidence.costs;
    let mut values: Vec<f64> = costs.shapley.values().copied().collect();
    values.sort_by(|a, b| b.total_cmp(a));
    let [first, second, ..] = values[..] else { return Measured::not_asked("a single head") };
    if first < NEGLIGIBLE {
        return Measured::not_asked(format!("no head has a Shapley value of {NEGLIGIBLE} nats"));
    }
    let each = |costs: &BTreeMap<Head, f64>, decimals: usize| {
        costs.iter().map(|(head, cost)| format!("{head} {cost:.decimals$}")).collect::<Vec<_>>().join(", ")
    };
    let detail = format!(
        "Shapley values {} nats; alone {}, together {:.3}",
        each(&costs.shapley, 2),
        each(&costs.alone, 3),
        costs.together
    );
    Measured::number(second / first, detail)
}

/// The number of ranges with one copying head.
fn split(evidence: &Evidence) -> Measured {
    let ranges = &evidence.copy_heads.ranges;
    if evidence.heads() < 2 {
        return Measured::not_asked("a single head");
    }
    const SHOWN: usize = 6;
    let shown = ranges.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>();
    let more = if ranges.len() > SHOWN { ", …" } else { "" };
    Measured::number(ranges.len() as f64, shown.join(", ") + more)
}

/// The post's range of the less important head.
const POST_RANGE: [Token; 2] = [28, 37];

/// The overlap of the values of the head with fewer with the post's range.
fn post_ranges(evidence: &Evidence) -> Measured {
    if evidence.task != SortedList::POST || evidence.heads() != 2 {
        return Measured::not_asked("not the post's task with two heads");
    }
    let main = evidence.main_head();
    let minor = |value: &Token| evidence.copying_head(*value) != main;
    let posts = |value: &Token| (POST_RANGE[0]..=POST_RANGE[1]).contains(value);
    let both = evidence.values().filter(|value| minor(value) && posts(value)).count();
    let either = evidence.values().filter(|value| minor(value) || posts(value)).count();
    let of_minor = evidence.copy_heads.ranges.iter().filter(|range| range.head.head != main);
    let shown: Vec<String> = of_minor.take(3).map(ToString::to_string).collect();
    Measured::number(both as f64 / either as f64, shown.join(", "))
}

/// When the other heads anti-copy.
const ANTI_COPY: Thresholds = Thresholds::at_least(0.5, 0.2);

/// The share of the values of the main head whose own class is the minimum of their OV row in the other heads.
fn anti_copied(evidence: &Evidence) -> Measured {
    let Some(Served { cells, detail }) = served(evidence, true) else { return Measured::not_asked("a single head") };
    let own_minimum = |(head, value): &(usize, Token)| {
        let row = evidence.circuits.W_OV_full.slice(s![*head, *value as usize, ..]);
        argmax(row.map(|logit| -logit).view()) == *value as usize
    };
    Measured::number(share(&cells, own_minimum), detail)
}

/// The share of negative OV diagonals in the main head, over the values that others serve.
fn main_head(evidence: &Evidence) -> Measured {
    let others = anti_copied(evidence).value().map(|value| ANTI_COPY.verdict(value, None));
    match served(evidence, false) {
        None => Measured::not_asked("a single head, or one that serves all values"),
        // The post says it of the main head in contrast to the others.
        Some(_) if others == Some(Verdict::Fails) => Measured::not_asked("the other heads do not anti-copy either"),
        Some(Served { cells, detail }) => {
            Measured::number(share(&cells, |cell| diagonal(evidence, cell) < 0.0), detail)
        }
    }
}

/// Cells of the OV diagonals, as heads and values, and which they are.
struct Served {
    cells: Vec<(usize, Token)>,
    detail: String,
}

/// A cell of an OV diagonal.
fn diagonal(evidence: &Evidence, (head, value): &(usize, Token)) -> f32 {
    evidence.circuits.W_OV_full[[*head, *value as usize, *value as usize]]
}

/// The OV diagonals in the other heads over the values that the main head copies, or in the main head over the values that
/// others copy; none where there are none.
fn served(evidence: &Evidence, where_main_copies: bool) -> Option<Served> {
    let main = evidence.main_head();
    let values = evidence.values().filter(|value| (evidence.copying_head(*value) == main) == where_main_copies);
    let heads: Vec<usize> = (0..evidence.heads()).filter(|head| (*head == main) != where_main_copies).collect();
    let cells: Vec<(usize, Token)> =
        values.flat_map(|value| heads.iter().map(move |head| (*head, value)).collect::<Vec<_>>()).collect();
    if cells.is_empty() || evidence.heads() < 2 {
        return None;
    }
    let who = if where_main_copies { format!("heads other than 0.{main}") } else { format!("head 0.{main}") };
    let sum: f64 = cells.iter().map(|cell| f64::from(diagonal(evidence, cell))).sum();
    let copying = |(_, value): &(usize, Token)| f64::from(diagonal(evidence, &(evidence.copying_head(*value), *value)));
    let relative = Unit::Share.number(sum / cells.iter().map(copying).sum::<f64>());
    let detail = format!("{who}, {} cells: mean diagonal {relative} of the serving head's", cells.len());
    Some(Served { cells, detail })
}
