//! Claims about SEP in lists of large values.

use super::evidence::{Evidence, rate};
use crate::{
    claims::{
        Claim,
        Control::{RandomWeights, Relabelled},
        Measured, Thresholds, Unit,
    },
    share::share,
    tasks::sorted_list::PredictionSite,
};
use algolens_core::task::Token;
use std::collections::BTreeMap;

/// The claims about SEP in lists of large values.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "sep_falls_off",
        claim: "SEP's attention to the smallest value falls off where that is around 30.",
        measure: "the first m such that, in random lists whose smallest value is m, the answer at SEP is right in fewer than half",
        unit: Unit::Value,
        behaviour: true,
        thresholds: |evidence| {
            let last = evidence.smallest.last().map_or(0, |(smallest, _)| *smallest);
            let around = [25.0, 35.0].map(|value| f64::from(evidence.scaled(value)));
            Thresholds::within(around, [1.0, f64::from(last)])
        },
        controls: &[RandomWeights, Relabelled],
        measured: sep_falls_off,
    },
    Claim {
        id: "large_values_break_sep",
        claim: "Lists of large values alone make SEP miss the smallest one.",
        measure: "share of wrong answers at SEP in random lists whose smallest value is m, for the worst m from 25 (of 50) on, less that \
                  for the worst m up to 12",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.1, 0.01),
        controls: &[RandomWeights, Relabelled],
        measured: large_values_break_sep,
    },
    Claim {
        id: "large_lists_fail_at_sep",
        claim: "A list that is all within 30 to 50 may well fail at SEP.",
        measure: "share of wrong answers at SEP in random lists of values from 30 (of 50) on, less that in random lists",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.5, 0.1),
        controls: &[RandomWeights, Relabelled],
        measured: |evidence| {
            let wrong = |site: &PredictionSite| !site.correct();
            match (rate(&evidence.large, wrong), rate(evidence.first_sites(), wrong)) {
                (Some(large), Some(any)) => Measured::difference(&large, &any, format!("{large}, less {any}")),
                _ => Measured::not_asked("lists are longer than that range"),
            }
        },
    },
];

/// The first value of a family from which fewer than half of the lists have something, and one above the last where there is
/// none.
fn falls_off(evidence: &Evidence, has: impl Fn(&PredictionSite) -> bool) -> Token {
    let after = evidence.smallest.last().map_or(0, |(smallest, _)| *smallest + 1);
    let first = evidence.smallest.iter().find(|(_, sites)| share(sites, &has) < 0.5);
    first.map_or(after, |(smallest, _)| *smallest)
}

/// The first smallest value that is predicted in fewer than half of the lists.
fn sep_falls_off(evidence: &Evidence) -> Measured {
    let from = falls_off(evidence, PredictionSite::correct);
    if from == 0 {
        return Measured::not_asked("SEP does not predict small values either");
    }
    let head = |site: &PredictionSite| evidence.copying_head(site.target);
    let attended = falls_off(evidence, |site| site.top_attended[head(site)] == site.target);
    let but_sep = falls_off(evidence, |site| site.top_other[head(site)] == site.target);
    // What SEP attends to where it does not attend to the smallest value.
    let mut instead = BTreeMap::<Token, usize>::new();
    for (_, sites) in evidence.smallest.iter().filter(|(smallest, _)| *smallest >= attended) {
        for token in sites.iter().map(|site| site.top_attended[head(site)]) {
            *instead.entry(token).or_default() += 1;
        }
    }
    let all: usize = instead.values().sum();
    let itself = instead.get(&evidence.task.sep()).copied().unwrap_or(0) as f64 / all.max(1) as f64;
    let detail = format!(
        "SEP attends most to the smallest value up to {} (from there on to itself in {}), up to {} if SEP is left out",
        attended.saturating_sub(1),
        Unit::Share.number(itself),
        but_sep.saturating_sub(1)
    );
    Measured::number(from.into(), detail)
}

/// The wrong share at SEP for the worst large smallest value, less that for the worst small one.
fn large_values_break_sep(evidence: &Evidence) -> Measured {
    let worst_where = |holds: &dyn Fn(Token) -> bool| {
        let members = evidence.smallest.iter().filter(|(smallest, _)| holds(*smallest));
        let rates = members.filter_map(|(smallest, sites)| Some((*smallest, rate(sites, |site| !site.correct())?)));
        rates.max_by(|a, b| a.1.share().total_cmp(&b.1.share()))
    };
    let (large, small) = (evidence.scaled(25.0), evidence.scaled(12.0));
    match (worst_where(&|smallest| smallest >= large), worst_where(&|smallest| smallest <= small)) {
        (Some((m, large)), Some((n, small))) => {
            Measured::difference(&large, &small, format!("m = {m}: {large}, m = {n}: {small}"))
        }
        _ => Measured::not_asked("no list has large values alone"),
    }
}
