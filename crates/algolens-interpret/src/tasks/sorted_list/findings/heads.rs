//! Claims about attention patterns and about the cost of ablating heads.

use super::{
    claim::{Claim, Measured, percent},
    evidence::Evidence,
};
use crate::{
    claims::{Unit, Verdict},
    share::share,
    tasks::sorted_list::PredictionSite,
};

/// The claims about attention patterns and head ablations.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "next_larger",
        claim: "A value attends most to the smallest value above it, in at least one head.",
        measure: "share of the sorted values (but the largest) whose largest attention weight in some head of the first \
                  block is on the right answer",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: next_larger,
    },
    Claim {
        id: "sep_to_smallest",
        claim: "SEP attends most to the smallest value.",
        measure: "share of lists in which SEP's largest weight in some head is on the smallest value",
        unit: Unit::Share,
        thresholds: "holds from 95 %, partly from 80 %",
        measured: |evidence| {
            let heads = evidence.attention.heads.iter().map(|h| format!("{} {}", h.head, percent(h.sep_to_smallest)));
            let detail = heads.collect::<Vec<_>>().join(", ");
            Measured::at_least(evidence.attention.sep_to_smallest, [0.95, 0.8], detail)
        },
    },
    Claim {
        id: "sep_falls_off",
        claim: "SEP's attention to the smallest value falls off where that is around 30.",
        measure: "the first m such that, in random lists whose smallest value is m, SEP attends most to it in fewer than \
                  half of them",
        unit: Unit::Value,
        thresholds: "holds from 25 to 35 (of 50), partly where it falls off at all",
        measured: sep_falls_off,
    },
    Claim {
        id: "large_values_break_sep",
        claim: "Lists of large values alone make SEP miss the smallest one.",
        measure: "share of wrong first predictions in random lists whose smallest value is m, for the worst m from 25 (of 50) on",
        unit: Unit::Share,
        thresholds: "holds from 10 %, partly from 1 %",
        measured: large_values_break_sep,
    },
    Claim {
        id: "head_order",
        claim: "One head matters more than the others.",
        measure: "the largest loss gained by mean-ablating a head, divided by the second largest",
        unit: Unit::Ratio,
        thresholds: "holds from 2, partly from 1.25",
        measured: head_order,
    },
    Claim {
        id: "second_successor",
        claim: "Sometimes a value attends more to the second value above it than to the first.",
        measure: "share of steps, but those from SEP and to the largest value, in which the head that serves the right answer does so",
        unit: Unit::Share,
        thresholds: "holds from 2 %, partly from 0.1 %",
        measured: |evidence| {
            let sites = with_second(evidence);
            if sites.is_empty() {
                return Measured::not_asked("lists are too short");
            }
            let share = share(&sites, |(_, more)| *more);
            Measured::at_least(share, [0.02, 0.001], format!("of {} steps", sites.len()))
        },
    },
    Claim {
        id: "second_successor_is_harmless",
        claim: "Those steps are not adversarial: the first value above is predicted all the same.",
        measure: "accuracy on just the steps in which the second value above gets more attention",
        unit: Unit::Share,
        thresholds: "holds from 99 %, partly from 95 %",
        measured: |evidence| {
            let sites: Vec<_> = with_second(evidence).into_iter().filter(|(_, more)| *more).collect();
            if sites.is_empty() {
                return Measured::not_asked("there is no such step");
            }
            Measured::at_least(
                share(&sites, |(correct, _)| *correct),
                [0.99, 0.95],
                format!("of {} steps", sites.len()),
            )
        },
    },
];

/// The share of sorted values that attend most to the target.
fn next_larger(evidence: &Evidence) -> Measured {
    if evidence.task.list_len() < 2 {
        return Measured::not_asked("lists of one value");
    }
    let heads = evidence.attention.heads.iter().map(|h| format!("{} {}", h.head, percent(h.next_larger)));
    Measured::at_least(evidence.attention.next_larger, [0.8, 0.5], heads.collect::<Vec<_>>().join(", "))
}

/// The first smallest value that SEP attends most to in fewer than half of the lists.
fn sep_falls_off(evidence: &Evidence) -> Measured {
    let points = &evidence.smallest;
    let attended = |value: u32| {
        points
            .iter()
            .find(|p| p.smallest >= value)
            .map_or(String::new(), |p| format!("{} from {} on", percent(p.attention), p.smallest))
    };
    let last = points.last().map_or(0, |p| p.smallest);
    let detail = format!("{}, {}, {}", attended(0), attended(evidence.scaled(30.0).min(last)), attended(last));
    // Behind the run of values from 0 on that most lists attend to.
    let from = points.iter().position(|p| p.attention < 0.5).unwrap_or(points.len());
    match points.get(from) {
        _ if from == 0 => Measured::not_asked("SEP does not attend to small values either"),
        None => Measured { value: None, verdict: Verdict::Fails, detail: format!("it never does: {detail}") },
        Some(point) => {
            let around = evidence.scaled(25.0)..=evidence.scaled(35.0);
            Measured::judged(point.smallest.into(), around.contains(&point.smallest), true, detail)
        }
    }
}

/// The share of wrong predictions at SEP for the worst large smallest value.
fn large_values_break_sep(evidence: &Evidence) -> Measured {
    let large = evidence.smallest.iter().filter(|p| p.smallest >= evidence.scaled(25.0));
    match large.min_by(|a, b| a.accuracy.total_cmp(&b.accuracy)) {
        None => Measured::not_asked("no list has large values alone"),
        Some(worst) => {
            let wrong = 1.0 - worst.accuracy;
            Measured::at_least(wrong, [0.1, 0.01], format!("m = {}, {} lists a value", worst.smallest, worst.size))
        }
    }
}

/// Largest loss increase that counts as none, in nats.
const NEGLIGIBLE: f64 = 1e-3;

/// The largest cost of ablating a head, divided by the second largest.
fn head_order(evidence: &Evidence) -> Measured {
    let mut costs: Vec<_> = evidence.ablation.iter().collect();
    costs.sort_by(|a, b| b.1.total_cmp(a.1));
    let [(_, first), (_, second), ..] = costs[..] else { return Measured::not_asked("a single head") };
    if *second <= NEGLIGIBLE {
        return Measured::not_asked("fewer than two heads matter at all");
    }
    let detail = costs.iter().map(|(head, cost)| format!("{head} {cost:.3} nats")).collect::<Vec<_>>().join(", ");
    Measured::at_least(first / second, [2.0, 1.25], detail)
}

/// For every prediction site after SEP with a second value above: whether it is correct, and whether that value gets more
/// attention than the target in the target's copying head.
fn with_second(evidence: &Evidence) -> Vec<(bool, bool)> {
    let sites = evidence.sites.iter().filter(|site| site.second.is_some() && !site.is_first(&evidence.task));
    let more = |site: &PredictionSite| {
        let [_, target, second] = site.attention[evidence.copying_head(site.target)];
        second > target
    };
    sites.map(|site| (site.correct, more(site))).collect()
}
