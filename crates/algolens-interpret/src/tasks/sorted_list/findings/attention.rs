//! Claims about attention patterns, in the head that copies the right answer.

use super::evidence::{Evidence, rate};
use crate::{
    claims::{
        Claim,
        Control::{ExchangedHeads, RandomWeights, Relabelled},
        Measured, Thresholds, Unit,
    },
    tasks::sorted_list::{CLOSE, PredictionSite},
};

/// The claims about attention patterns.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "next_larger",
        claim: "A value attends most to the smallest value above it.",
        measure: "share of the sorted values (but the largest) whose largest attention weight, in the head that copies the right \
                  answer, is on that answer",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights, Relabelled, ExchangedHeads],
        measured: next_larger,
    },
    Claim {
        id: "sep_to_smallest",
        claim: "SEP attends most to the smallest value.",
        measure: "share of lists in which SEP's largest weight, in the head that copies the smallest value, is on that value",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.95, 0.8),
        controls: &[RandomWeights, Relabelled, ExchangedHeads],
        measured: |evidence| match rate(evidence.first_sites(), |site| attends_to_target(evidence, site)) {
            None => Measured::not_asked("no lists"),
            Some(found) => Measured::rate(&found, format!("of {} lists", found.lists())),
        },
    },
    Claim {
        id: "predicted_is_attended",
        claim: "The heads predict whatever they pay attention to.",
        measure: "share of steps in which the answer given is the token at the key with the largest weight in some head",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.7),
        controls: &[RandomWeights, ExchangedHeads],
        measured: |evidence| match rate(&evidence.sites, |site| site.attends_most_to(site.predicted)) {
            None => Measured::not_asked("no lists"),
            Some(found) => Measured::rate(&found, format!("of {} steps", found.steps())),
        },
    },
    Claim {
        id: "second_successor",
        claim: "In lists with three values close together, a value attends more to the second value above it than to the first.",
        measure: "how often it does, in the head that copies the right answer, where the second value above d is at most d+4, by \
                  how often elsewhere",
        unit: Unit::Ratio,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(2.0, 2.0),
        controls: &[RandomWeights, Relabelled, ExchangedHeads],
        measured: second_successor,
    },
    Claim {
        id: "second_successor_is_harmless",
        claim: "Those steps are not adversarial: the first value above is predicted all the same.",
        measure: "share of wrong answers in just the steps in which the second value above gets more attention",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_most(0.05, 0.2),
        controls: &[RandomWeights, Relabelled, ExchangedHeads],
        measured: harmless,
    },
];

/// True if the head that copies the right answer attends most to it.
fn attends_to_target(evidence: &Evidence, site: &PredictionSite) -> bool {
    site.top_attended[evidence.copying_head(site.target)] == site.target
}

/// The share of sorted values that attend most to the target.
fn next_larger(evidence: &Evidence) -> Measured {
    let Some(found) = rate(evidence.sorted_sites(), |site| attends_to_target(evidence, site)) else {
        return Measured::not_asked("lists of one value");
    };
    let weight = |site: &PredictionSite| site.attention[evidence.copying_head(site.target)][1];
    let mean = evidence.sorted_sites().map(weight).sum::<f64>() / found.steps() as f64;
    Measured::rate(&found, format!("of {} steps; mean weight {mean:.2}", found.steps()))
}

/// The sites at sorted values with a second value above.
fn with_second(evidence: &Evidence) -> impl Iterator<Item = &PredictionSite> {
    evidence.sorted_sites().filter(|site| site.second.is_some())
}

/// True if the second value above gets more attention than the target, in the target's copying head.
fn prefers_second(evidence: &Evidence, site: &PredictionSite) -> bool {
    let [_, target, second] = site.attention[evidence.copying_head(site.target)];
    second > target
}

/// How much more often the second value above gets more attention where it is close.
fn second_successor(evidence: &Evidence) -> Measured {
    let close = |site: &&PredictionSite| site.second.is_some_and(|second| second <= site.d + CLOSE);
    let prefers = |site: &PredictionSite| prefers_second(evidence, site);
    let near = rate(with_second(evidence).filter(close), prefers);
    let elsewhere = rate(with_second(evidence).filter(|site| !close(site)), prefers);
    match (near, elsewhere) {
        (Some(near), Some(elsewhere)) => {
            Measured::ratio(&near, &elsewhere, format!("{near} there, {elsewhere} elsewhere"))
        }
        _ => Measured::not_asked("no list has three values close together, or every list has"),
    }
}

/// The share of wrong answers where the second value above gets more attention.
fn harmless(evidence: &Evidence) -> Measured {
    let wrong = |site: &PredictionSite| !site.correct();
    let Some(there) = rate(with_second(evidence).filter(|site| prefers_second(evidence, site)), wrong) else {
        return Measured::not_asked("there is no such step");
    };
    let elsewhere = rate(with_second(evidence).filter(|site| !prefers_second(evidence, site)), wrong);
    let elsewhere = elsewhere.map_or(String::new(), |elsewhere| format!("; elsewhere {elsewhere}"));
    Measured::rate(&there, format!("of {} steps{elsewhere}", there.steps()))
}
