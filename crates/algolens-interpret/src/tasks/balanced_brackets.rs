//! Balanced brackets: the claims of ARENA's chapter about its classifier.

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
};
use crate::{
    Arrays, Case, Casebook, Head, Study, Subject,
    attribution::attribution,
    claims::{Claim, Control::RandomWeights, Measured, Thresholds, Unit},
};
use algolens_core::{
    Result, random,
    task::{BalancedBrackets, Dataset, Member, Task, Token},
};
use ndarray::{Axis, s};
use std::collections::BTreeMap;

/// Strings of each fault.
const OF_FAULT: usize = 300;

/// Measurements of one model of brackets.
#[derive(Default)]
pub struct Evidence {
    /// For each head of the first block: mean distance of the row of the first bracket from even weights over the string.
    from_even: BTreeMap<Head, f64>,
    /// For each head of the last block: START's mean weight on the first bracket.
    on_first: BTreeMap<Head, f64>,
    /// For each head of the last block: how much more it adds to "unbalanced" less "balanced" than over balanced strings, in
    /// nats: where strings of equal totals are closed too early, and where strings are closed too often at the end.
    against: BTreeMap<Head, [f64; 2]>,
}

impl Casebook for BalancedBrackets {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let seed = case.seed;
        let gather = |subject: Subject, data: &Dataset| Evidence::gather(subject, self, data, seed);
        let at = |claim: &str| if claim == "heads_share_the_faults" { "fig-family-fault" } else { "fig-pattern" };
        judge(case, study, self, CLAIMS, gather, at)
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "first_bracket_averages",
        claim: "A head of the first block attends from the first bracket evenly to the whole string, and so counts its brackets.",
        measure: "mean distance of the row from even weights, half the sum of differences, in the head for which it is least",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_most(0.1, 0.2),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.from_even.iter().min_by(|a, b| a.1.total_cmp(b.1)) {
            None => Measured::not_asked("there is no head"),
            Some((head, distance)) => Measured::number(*distance, format!("head {head}")),
        },
    },
    Claim {
        id: "start_copies_first_bracket",
        claim: "A head of the last block attends from START to the first bracket with half its weight or more, and copies the total \
                that was counted there.",
        measure: "START's mean weight on the first bracket, in the head for which it is most",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.4, 0.2),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.on_first.iter().max_by(|a, b| a.1.total_cmp(b.1)) {
            None => Measured::not_asked("there is no head"),
            Some((head, weight)) => Measured::number(*weight, format!("head {head}")),
        },
    },
    Claim {
        id: "heads_share_the_faults",
        claim: "Of the last block, the head that copies the first bracket finds totals that differ, and another finds brackets that \
                are closed too early.",
        measure: "of what both heads add to the logit of \"unbalanced\" less that of \"balanced\", beyond what they add in balanced \
                  strings: the copying head's part where strings are closed too often at the end, and the other's where they are \
                  closed too early; the smaller, for the best other head",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.6, 0.5),
        controls: &[RandomWeights],
        measured: Evidence::shared,
    },
];

impl Evidence {
    fn gather(subject: Subject, task: &BalancedBrackets, data: &Dataset, seed: u32) -> Result<Self> {
        let config = subject.model.config();
        let Some(last) = config.n_layers.checked_sub(1) else { return Ok(Self::default()) };
        let means = |means: BTreeMap<Head, Mean>| means.into_iter().map(|(head, mean)| (head, mean.value())).collect();
        let mut from_even: BTreeMap<Head, Mean> = BTreeMap::new();
        each_pattern(subject, data, 0, |attended| {
            let seen = attended.tokens.iter().filter(|token| Some(**token) != task.padding()).count();
            from_even.entry(attended.head).or_default().add(attended.distance_from_even(1, seen));
        })?;
        let mut on_first: BTreeMap<Head, Mean> = BTreeMap::new();
        each_pattern(subject, data, last, |attended| {
            on_first.entry(attended.head).or_default().add(attended.pattern[[0, 1]].into());
        })?;
        let against = against(subject, task, last, seed)?;
        Ok(Self { from_even: means(from_even), on_first: means(on_first), against })
    }

    fn shared(&self) -> Measured {
        let Some((copies, _)) = self.on_first.iter().max_by(|a, b| a.1.total_cmp(b.1)) else {
            return Measured::not_asked("there is no head");
        };
        let Some([early, open]) = self.against.get(copies) else {
            return Measured::not_asked("there are no such strings");
        };
        let others = self.against.iter().filter(|(head, _)| *head != copies);
        let parts = others
            .map(|(head, [other_early, other_open])| (head, part(*open, *other_open).min(part(*other_early, *early))));
        match parts.max_by(|a, b| a.1.total_cmp(&b.1)) {
            None => Measured::not_asked("the last block has a single head"),
            Some((other, smaller)) => {
                let [other_early, other_open] = self.against[other];
                let detail = format!(
                    "closed too often at the end: {open:.1} nats from {copies}, {other_open:.1} from {other}; \
                     closed too early: {early:.1} and {other_early:.1}"
                );
                Measured::number(smaller, detail)
            }
        }
    }
}

/// The part that one of two makes of what both add; 0 of nothing.
fn part(one: f64, other: f64) -> f64 {
    let [one, other] = [one, other].map(|added| added.max(0.0));
    if one == 0.0 { 0.0 } else { one / (one + other) }
}

/// For each head of a block: how much more it adds to "unbalanced" less "balanced" in strings of two faults than in balanced
/// ones: closed too early, and closed too often at the end (left open, read from the end).
fn against(subject: Subject, task: &BalancedBrackets, layer: usize, seed: u32) -> Result<BTreeMap<Head, [f64; 2]>> {
    let families = task.families();
    let Some(family) = families.iter().find(|family| family.id == "fault") else { return Ok(BTreeMap::new()) };
    let strings = |name: &str| -> Vec<Vec<Token>> {
        let drawn = |member: &Member| member.draw(OF_FAULT, &mut random::stream(seed.into(), &format!("fault/{name}")));
        let members = family.members.iter().filter(|member| member.name == name);
        members.flat_map(drawn).collect()
    };
    let (balanced, early) = (strings("balanced"), strings("closed too early"));
    let closed: Vec<Vec<Token>> =
        strings("left open").iter().map(|string| BalancedBrackets::mirrored(string)).collect();
    if [&balanced, &early, &closed].iter().any(|strings| strings.is_empty()) {
        return Ok(BTreeMap::new());
    }
    let heads = Head::of_layer(subject.model.config(), layer);
    let [balanced, early, closed] = [balanced, early, closed].map(|strings| added(subject, task, &heads, &strings));
    let (balanced, early, closed) = (balanced?, early?, closed?);
    Ok((0..heads.len()).map(|at| (heads[at], [early[at] - balanced[at], closed[at] - balanced[at]])).collect())
}

/// What each head adds to the logit of "unbalanced" less that of "balanced", on average.
fn added(subject: Subject, task: &BalancedBrackets, heads: &[Head], strings: &[Vec<Token>]) -> Result<Vec<f64>> {
    let data = Dataset::from_inputs(task, strings)?;
    let found = attribution(subject, data.tokens(), data.positions())?;
    let of = |head: &Head| found.components.iter().position(|component| *component == head.to_string());
    let mean = |at: usize| {
        let logits = found.contributions.index_axis(Axis(0), at);
        let [unbalanced, balanced] = [0, 1].map(|class| logits.slice(s![.., 0, class]).mean().unwrap_or(0.0));
        unbalanced - balanced
    };
    Ok(heads.iter().map(|head| of(head).map_or(0.0, mean)).collect())
}
