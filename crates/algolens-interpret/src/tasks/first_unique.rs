//! First unique letters: the claims of the solution that was published to the challenge of August 2023.

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
    without::without_each,
};
use crate::{
    Arrays, Case, Casebook, Head, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Thresholds, Unit},
};
use algolens_core::{
    Result,
    engine::Batch,
    task::{Dataset, FirstUnique, Task},
};
use std::collections::BTreeMap;

/// Measurements of one model of first unique letters, a number for each letter.
pub struct Evidence {
    letters: Vec<String>,
    /// For each head of the first block: the mean weight on earlier places of the same letter, where there are any.
    on_copies: BTreeMap<Head, Vec<f64>>,
    /// For each head of the last block: what its mean-ablation costs where the letter is the answer, in nats.
    costs: BTreeMap<Head, Vec<f64>>,
}

impl Casebook for FirstUnique {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let gather = |subject: Subject, data: &Dataset| Evidence::gather(subject, self, data);
        let at = |claim: &str| if claim == "copies_are_attended_to" { "fig-pattern" } else { "fig-family-answer" };
        judge(case, study, self, CLAIMS, gather, at)
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "copies_are_attended_to",
        claim: "Heads of the first block attend from a letter to where it stood before, each for some of the letters.",
        measure: "share of the letters of which some head of the first block has a mean weight of 0.2 or more on earlier places of \
                  the same letter, where there are any",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.9, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| evidence.share_of_letters(&evidence.on_copies, |sorted| sorted[0] >= 0.2, "weights"),
    },
    Claim {
        id: "each_answer_has_its_head",
        claim: "Every letter is given as an answer by one head of the last block.",
        measure: "share of the letters for which, where they are the answer, mean-ablating one head of the last block costs a nat or \
                  more and three times what any other costs",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.9, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| {
            let alone = |sorted: &[f64]| sorted[0] >= 1.0 && sorted.get(1).is_some_and(|next| sorted[0] >= 3.0 * next);
            if evidence.costs.len() == 1 {
                return Measured::not_asked("the last block has a single head");
            }
            evidence.share_of_letters(&evidence.costs, alone, "nats")
        },
    },
];

impl Evidence {
    fn gather(subject: Subject, task: &FirstUnique, data: &Dataset) -> Result<Self> {
        let letters: Vec<String> = task.token_labels()[..task.none() as usize].to_vec();
        let config = subject.model.config();
        let mut evidence = Self { letters, on_copies: BTreeMap::new(), costs: BTreeMap::new() };
        let Some(last) = config.n_layers.checked_sub(1) else { return Ok(evidence) };
        let none = || vec![Mean::default(); evidence.letters.len()];
        let mut on_copies: BTreeMap<Head, Vec<Mean>> = BTreeMap::new();
        each_pattern(subject, data, 0, |attended| {
            let weights = on_copies.entry(attended.head).or_insert_with(none);
            for query in 1..attended.tokens.len() {
                let letter = attended.tokens[query];
                let copies: Vec<usize> = (1..query).filter(|key| attended.tokens[*key] == letter).collect();
                if !copies.is_empty() {
                    weights[letter as usize]
                        .add(copies.iter().map(|key| f64::from(attended.pattern[[query, *key]])).sum());
                }
            }
        })?;
        let heads = Head::of_layer(config, last);
        let before = subject.engine.outcomes(subject.model, Batch::from(data))?;
        for (head, after) in heads.iter().zip(without_each(subject, data, &heads, data)?) {
            let mut costs = none();
            for ((letter, before), after) in data.classes()?.iter().zip(&before).zip(&after) {
                if let Some(cost) = costs.get_mut(*letter as usize) {
                    cost.add(before.log_prob - after.log_prob);
                }
            }
            evidence.costs.insert(*head, costs.iter().map(Mean::value).collect());
        }
        evidence.on_copies =
            on_copies.into_iter().map(|(head, means)| (head, means.iter().map(Mean::value).collect())).collect();
        Ok(evidence)
    }

    /// The share of letters for which a condition holds of the heads' numbers, largest first; and of each head, the letters of
    /// which it has the largest number, with the least of these.
    fn share_of_letters(&self, of_heads: &BTreeMap<Head, Vec<f64>>, holds: fn(&[f64]) -> bool, unit: &str) -> Measured {
        if of_heads.is_empty() {
            return Measured::not_asked("there is no head");
        }
        let mut best: BTreeMap<Head, (Vec<&str>, f64)> = BTreeMap::new();
        let mut hits = 0;
        for (at, letter) in self.letters.iter().enumerate() {
            let mut sorted: Vec<(Head, f64)> = of_heads.iter().map(|(head, numbers)| (*head, numbers[at])).collect();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1));
            hits += usize::from(holds(&sorted.iter().map(|(_, number)| *number).collect::<Vec<_>>()));
            let (letters, least) = best.entry(sorted[0].0).or_insert((Vec::new(), f64::INFINITY));
            letters.push(letter);
            *least = least.min(sorted[0].1);
        }
        let detail = best
            .iter()
            .map(|(head, (letters, least))| format!("{head}: {} ({least:.2} {unit} or more)", letters.join(" ")));
        Measured::number(hits as f64 / self.letters.len() as f64, detail.collect::<Vec<_>>().join("; "))
    }
}
