//! Claims about large gaps between neighbouring values.

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

/// The claims about large gaps.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "large_gaps_fail",
        claim: "Large gaps are adversarial.",
        measure: "share of wrong answers over the largest third of the gaps, less that over the smallest third",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.05, 0.01),
        controls: &[RandomWeights, Relabelled],
        measured: large_gaps,
    },
    Claim {
        id: "gaps_lose_the_answer",
        claim: "Where a large gap from x to y makes the model fail, x does not attend to y.",
        measure: "mean weight on y, in the head that copies it, in wrong steps over gaps, as a part of that in right steps over the gaps \
                  at which some are wrong",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_most(0.5, 0.8),
        // A relabelled model is wrong wherever its own order differs, which no gap makes it.
        controls: &[RandomWeights],
        measured: lost_answer,
    },
];

/// The members of the largest third of the gaps, and of the smallest; none where there are fewer than three.
type Gap = (u32, Vec<PredictionSite>);
fn thirds(evidence: &Evidence) -> Option<[&[Gap]; 2]> {
    let gaps = &evidence.gaps;
    let third = gaps.len() / 3;
    (third > 0).then(|| [&gaps[gaps.len() - third..], &gaps[..third]])
}

/// The wrong share over the largest third of the gaps less that over the smallest third.
fn large_gaps(evidence: &Evidence) -> Measured {
    let wrong = |gaps: &[Gap]| rate(gaps.iter().flat_map(|(_, sites)| sites), |site| !site.correct());
    let Some([large, small]) = thirds(evidence) else { return Measured::not_asked("fewer than three gaps") };
    match (wrong(large), wrong(small)) {
        (Some(wrong_large), Some(wrong_small)) => {
            let (from, to) = (large[0].0, small[small.len() - 1].0);
            let detail = format!("gaps from {from}: {wrong_large}; up to {to}: {wrong_small}");
            Measured::difference(&wrong_large, &wrong_small, detail)
        }
        _ => Measured::not_asked("no lists with gaps"),
    }
}

/// The attention to y in wrong steps over gaps, as a part of that in right ones.
fn lost_answer(evidence: &Evidence) -> Measured {
    let mixed = evidence.gaps.iter().filter(|(_, sites)| {
        let wrong = sites.iter().filter(|site| !site.correct()).count();
        wrong > 0 && wrong < sites.len()
    });
    let (right, wrong): (Vec<&PredictionSite>, Vec<&PredictionSite>) =
        mixed.flat_map(|(_, sites)| sites).partition(|site| site.correct());
    if wrong.is_empty() {
        return Measured::not_asked("no gap is got right and wrong");
    }
    let weight = |site: &&PredictionSite| site.attention[evidence.copying_head(site.target)][1];
    let mean = |sites: &[&PredictionSite]| sites.iter().map(weight).sum::<f64>() / sites.len() as f64;
    let (lost, kept) = (mean(&wrong), mean(&right));
    if kept == 0.0 {
        return Measured::not_asked("right steps do not attend to the answer either");
    }
    let said = |says: &dyn Fn(&PredictionSite) -> bool| Unit::Share.number(share(&wrong, |site| says(site)));
    let [x, between] =
        [said(&|site| site.predicted == site.d), said(&|site| (site.d + 1..site.target).contains(&site.predicted))];
    let mut detail = format!(
        "{} of {} wrong steps, {} of right ones; said instead: x in {x}, a value between x and y in {between}",
        Unit::Share.number(lost),
        wrong.len(),
        Unit::Share.number(kept)
    );
    if !evidence.repairs.is_empty() {
        let repaired = |by: fn(&super::Repair) -> bool| Unit::Share.number(share(&evidence.repairs, by));
        let [x, other] = [repaired(|repair| repair.without_x), repaired(|repair| repair.without_other)];
        detail += &format!("; right without the keys of x: {x}, without the strongest other key: {other}");
    }
    Measured::number(lost / kept, detail)
}
