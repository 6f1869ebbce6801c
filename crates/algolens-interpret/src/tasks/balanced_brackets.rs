//! Balanced brackets: the claims of ARENA's chapter about its classifier.

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
    without::without_each,
};
use crate::{
    Arrays, Case, Casebook, Head, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit},
};
use algolens_core::{
    Result,
    engine::{Batch, Outcome},
    random,
    task::{BalancedBrackets, Dataset, Member, Task, Token},
};
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
    /// For each head of the last block, with it at its mean over balanced strings: how much more often strings of equal totals
    /// that are closed too early, and such that are closed too often at the end, are called balanced.
    missed: BTreeMap<Head, [f64; 2]>,
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
        measure: "how much more of the strings that are closed too often at the end go unseen without the copying head than without another, and of those \
                  closed too early without another than without it, heads at their mean over balanced strings: the smaller, for the \
                  best other head",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.5, 0.1),
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
        let missed = missed(subject, task, last, seed)?;
        Ok(Self { from_even: means(from_even), on_first: means(on_first), missed })
    }

    fn shared(&self) -> Measured {
        let Some((copies, _)) = self.on_first.iter().max_by(|a, b| a.1.total_cmp(b.1)) else {
            return Measured::not_asked("there is no head");
        };
        let Some([early, open]) = self.missed.get(copies) else {
            return Measured::not_asked("there are no such strings");
        };
        let others = self.missed.iter().filter(|(head, _)| *head != copies);
        let apart =
            others.map(|(head, [other_early, other_open])| (head, (open - other_open).min(other_early - early)));
        match apart.max_by(|a, b| a.1.total_cmp(&b.1)) {
            None => Measured::not_asked("the last block has a single head"),
            Some((other, points)) => {
                let [other_early, other_open] = self.missed[other];
                let detail = format!(
                    "closed too often at the end: {:.1} % more unseen without {copies}, {:.1} % without {other}; closed too early: {:.1} % and {:.1} %",
                    100.0 * open,
                    100.0 * other_open,
                    100.0 * early,
                    100.0 * other_early
                );
                Measured::number(points, detail)
            }
        }
    }
}

/// How much more often strings of two faults are called balanced without a head of a block, which is its mean over balanced
/// strings: closed too early, and closed too often at the end (left open, read from the end).
fn missed(subject: Subject, task: &BalancedBrackets, layer: usize, seed: u32) -> Result<BTreeMap<Head, [f64; 2]>> {
    let heads = Head::of_layer(subject.model.config(), layer);
    let families = task.families();
    let Some(family) = families.iter().find(|family| family.id == "fault") else { return Ok(BTreeMap::new()) };
    let strings = |name: &str| -> Vec<Vec<Token>> {
        let drawn = |member: &Member| member.draw(OF_FAULT, &mut random::stream(seed.into(), &format!("fault/{name}")));
        let members = family.members.iter().filter(|member| member.name == name);
        members.flat_map(drawn).collect()
    };
    let share = |outcomes: Vec<Outcome>| {
        Rate::by_list(outcomes.iter().map(|outcome| !outcome.right).enumerate()).map_or(0.0, |rate| rate.share())
    };
    let balanced = strings("balanced");
    let faults = [
        strings("closed too early"),
        strings("left open").iter().map(|string| BalancedBrackets::mirrored(string)).collect(),
    ];
    if balanced.is_empty() || faults.iter().any(Vec::is_empty) {
        return Ok(BTreeMap::new());
    }
    let balanced = Dataset::from_inputs(task, &balanced)?;
    let mut missed: BTreeMap<Head, [f64; 2]> = BTreeMap::new();
    for (at, strings) in faults.iter().enumerate() {
        let data = Dataset::from_inputs(task, strings)?;
        let before = share(subject.engine.outcomes(subject.model, Batch::from(&data))?);
        for (head, after) in heads.iter().zip(without_each(subject, &data, &heads, &balanced)?) {
            missed.entry(*head).or_default()[at] = share(after) - before;
        }
    }
    Ok(missed)
}
