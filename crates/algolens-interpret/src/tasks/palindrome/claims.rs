//! The claims of the July 2023 challenge's published solution.

use super::Evidence;
use crate::claims::{Claim, Control::RandomWeights, Measured, Thresholds, Unit};

/// The claims, in the order of the model's blocks.
pub fn claims() -> &'static [Claim<Evidence>] {
    CLAIMS
}

const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "equal_pairs_attend_to_their_image",
        claim: "Where a pair is equal, a head of the first block attends from the place to its mirror image.",
        measure: "share of the equal pairs whose place has its largest weight on the image, in the head of the first block for \
                  which this share and that of broken pairs which attend to themselves sum to most",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.comparing_head() {
            None => Measured::not_asked("there is no head"),
            Some((head, equal, _)) => Measured::rate(equal, format!("head {head}, over {} places", equal.steps())),
        },
    },
    Claim {
        id: "broken_pairs_attend_to_themselves",
        claim: "Where a pair is broken, the same head attends from the place to itself.",
        measure: "share of the broken pairs whose place has its largest weight on itself, in that head",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.comparing_head() {
            None => Measured::not_asked("there is no head"),
            Some((head, _, broken)) => Measured::rate(broken, format!("head {head}, over {} places", broken.steps())),
        },
    },
    Claim {
        id: "end_attends_to_broken_places",
        claim: "In the last block END attends to places whose pair is broken.",
        measure: "share of the lists with a broken pair in which END's largest weight is on a place whose pair is broken, in the \
                  head of the last block for which that is most",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: |evidence| match evidence.collecting_head() {
            None => Measured::not_asked("there is no head"),
            Some((head, rate)) => Measured::rate(rate, format!("head {head}, over {} lists", rate.lists())),
        },
    },
    Claim {
        id: "pairs_of_17_and_19_go_unseen",
        claim: "Lists that are broken at position 17 or 19 alone are called palindromes, and hardly any others.",
        measure: "the smaller of the shares of lists, broken at these positions alone, that are called palindromes, less the \
                  largest of such shares at other positions",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.8, 0.5),
        controls: &[RandomWeights],
        measured: unseen,
    },
];

/// The pairs of positions 17 and 19 of the challenge's lists.
const UNSEEN: [usize; 2] = [4, 2];
/// Pairs of the challenge's lists.
const PAIRS: usize = 10;

fn unseen(evidence: &Evidence) -> Measured {
    let rates: Vec<_> = evidence.missed.iter().flatten().collect();
    if rates.len() != PAIRS {
        return Measured::not_asked("lists are not of twenty values");
    }
    let pairs = || rates.iter().enumerate().map(|(at, rate)| (at + 1, *rate));
    let least = pairs().filter(|(pair, _)| UNSEEN.contains(pair)).min_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    let most = pairs().filter(|(pair, _)| !UNSEEN.contains(pair)).max_by(|a, b| a.1.share().total_cmp(&b.1.share()));
    let (Some((pair, least)), Some((other, most))) = (least, most) else {
        return Measured::not_asked("there are no lists");
    };
    let at = |pair: usize| 2 * PAIRS + 1 - pair;
    let missed = pairs().filter(|(_, rate)| rate.share() > 0.5).map(|(pair, _)| at(pair).to_string());
    let missed = missed.collect::<Vec<_>>().join(", ");
    let missed = if missed.is_empty() { "none".into() } else { missed };
    let detail = format!(
        "{:.1} % at {}, {:.1} % at {}; called palindromes more often than not: broken at {missed}",
        100.0 * least.share(),
        at(pair),
        100.0 * most.share(),
        at(other)
    );
    Measured::difference(least, most, detail)
}
