//! Sums digit by digit: the claims of the solution that was published to the challenge of September 2023, and what it leaves open.

use super::{
    judged::{STAGES, judge},
    mean::Mean,
    patterns::each_pattern,
};
use crate::{
    Ablation, Arrays, Case, Casebook, FamilyScores, Head, Part, Study, Subject, ablate,
    claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit},
    family_scores,
};
use algolens_core::{
    Result,
    task::{Dataset, Sum},
};
use std::collections::BTreeMap;

/// Sums of each member of a family.
const OF_MEMBER: usize = 400;
/// The digits from the most attended to, to the least, as the page of the solution gives them.
const ORDER: [usize; 10] = [0, 9, 1, 8, 2, 7, 3, 6, 4, 5];

/// Measurements of one model of sums.
pub struct Evidence {
    /// For each head of the first block: the mean weight of a key, by its digit, where a digit of the sum is predicted.
    weights: BTreeMap<Head, [f64; 10]>,
    /// What mean-ablating all heads of the first block, and of the last, costs, in nats; none of a model of fewer blocks than two.
    costs: Option<[f64; 2]>,
    families: Vec<FamilyScores>,
}

impl Casebook for Sum {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        let seed = case.seed;
        let gather = |subject: Subject, data: &Dataset| Evidence::gather(subject, self, data, seed);
        let at = |claim: &str| match claim {
            "repeated_carries_fail" => "fig-family-nines",
            "first_block_matters_more" => "fig-ablation",
            _ => "fig-pattern",
        };
        judge(case, study, self, CLAIMS, gather, at)
    }
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "order_of_digits",
        claim: "In the first block digits are attended to in the order 0, 9, 1, 8, 2, 7, 3, 6, 4, 5.",
        measure: "share of the pairs of digits in this order by the mean weight of a key, where a digit of the sum is predicted, in \
                  the head of the first block for which it is most",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.9, 0.75),
        controls: &[RandomWeights],
        measured: |evidence| {
            let shares = evidence.weights.iter().map(|(head, weights)| (*head, in_order(weights)));
            match shares.max_by(|a, b| a.1.total_cmp(&b.1)) {
                None => Measured::not_asked("there is no head"),
                Some((head, share)) => {
                    let mut digits: Vec<usize> = (0..10).collect();
                    digits.sort_by(|a, b| evidence.weights[&head][*b].total_cmp(&evidence.weights[&head][*a]));
                    let digits: Vec<String> = digits.iter().map(usize::to_string).collect();
                    Measured::number(share, format!("head {head}: {}", digits.join(" > ")))
                }
            }
        },
    },
    Claim {
        id: "first_block_matters_more",
        claim: "The last block's heads matter less than the first's.",
        measure: "what mean-ablating all heads of the first block costs, as a share of that and of what those of the last cost; less than \
                  nothing counts as nothing",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.55, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.costs.map(|costs| costs.map(|cost| cost.max(0.0))) {
            None => Measured::not_asked("there are fewer than two blocks"),
            Some([first, last]) if first + last <= 0.0 => Measured::not_asked("ablating either costs nothing"),
            Some([first, last]) => Measured::number(first / (first + last), format!("{first:.3} and {last:.3} nats")),
        },
    },
    Claim {
        id: "repeated_carries_fail",
        claim: "Wrong sums are those with places that add to 9, and so pass a carry on (the page leaves these open).",
        measure: "share of wrong sums in the worst member of the family of places that add to 9, less that where none do",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.01, 0.002),
        controls: &[RandomWeights],
        measured: |evidence| nines(&evidence.families),
    },
];

/// The share of pairs of digits that stand in the published order by weight.
fn in_order(weights: &[f64; 10]) -> f64 {
    let pairs = (0..10).flat_map(|a| (a + 1..10).map(move |b| (ORDER[a], ORDER[b])));
    pairs.filter(|(more, less)| weights[*more] > weights[*less]).count() as f64 / 45.0
}

fn nines(families: &[FamilyScores]) -> Measured {
    let Some(family) = families.iter().find(|family| family.id == "nines") else {
        return Measured::not_asked("there are too many digits for a family of places that add to 9");
    };
    let wrong = |size, right| Rate::by_list((0..size).map(|at| (at, at >= right)));
    let rates: Vec<_> =
        family.members.iter().filter_map(|member| Some((&member.name, wrong(member.size, member.right)?))).collect();
    let worst = rates.iter().filter(|(name, _)| *name != "none").max_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    match (worst, rates.iter().find(|(name, _)| *name == "none")) {
        (Some((name, worst)), Some((_, none))) => {
            Measured::difference(worst, none, format!("{:.2} % of sums with {name}", 100.0 * worst.share()))
        }
        _ => Measured::not_asked("there are no such sums"),
    }
}

impl Evidence {
    fn gather(subject: Subject, task: &Sum, data: &Dataset, seed: u32) -> Result<Self> {
        let config = subject.model.config();
        let families = family_scores(subject, task, OF_MEMBER, seed)?;
        let mut weights: BTreeMap<Head, [Mean; 10]> = BTreeMap::new();
        if config.n_layers > 0 {
            each_pattern(subject, data, 0, |attended| {
                let means = weights.entry(attended.head).or_default();
                for query in data.positions() {
                    for (key, token) in attended.tokens.iter().enumerate().take(query + 1) {
                        if let Some(mean) = means.get_mut(*token as usize) {
                            mean.add(attended.pattern[[*query, key]].into());
                        }
                    }
                }
            })?;
        }
        let cost = |layer| {
            let parts = Head::of_layer(config, layer).into_iter().map(Part::Head).collect();
            Ok(ablate(subject, &Ablation { parts, ..Ablation::default() }, data, data, None)?.loss_increase)
        };
        let costs = if config.n_layers > 1 { Some([cost(0)?, cost(config.n_layers - 1)?]) } else { None };
        let weights = weights.into_iter().map(|(head, means)| (head, means.map(|mean| mean.value()))).collect();
        Ok(Self { weights, costs, families })
    }
}
