//! Claims about accuracy: over gaps, at close triples, and without the direct path.

use super::{
    claim::{Claim, Measured, percent},
    evidence::Evidence,
};
use crate::{claims::Unit, share::share, tasks::sorted_list::PredictionSite};

/// The claims about gaps, close triples and the direct path.
pub const CLAIMS: &[Claim] = &[
    Claim {
        id: "gaps_fail_by_self_attention",
        claim: "Where a large gap makes the model fail, the value in front of it attends to itself.",
        measure: "share of the wrong steps over gaps in which some head attends most to the value itself",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: gaps_fail,
    },
    Claim {
        id: "large_gaps_fail",
        claim: "Large gaps are adversarial.",
        measure: "share of wrong predictions over the largest third of the gaps",
        unit: Unit::Share,
        thresholds: "holds where it is at least 5 % and 10 times that of the smallest third, partly from 1 % and twice",
        measured: large_gaps,
    },
    Claim {
        id: "triple_signs",
        claim: "In close triples x < y < z, y and z boost themselves, z boosts y a little, and y suppresses z.",
        measure: "share of the close triples whose four direct logit attributions, at x, through the head that serves y and \
                  averaged over random lists, have these signs",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: |evidence| match evidence.triples.statistics() {
            None => Measured::not_asked("lists are too short"),
            Some(found) => {
                let [[yy, yz], [zy, zz]] = found.expected_sign.map(|row| row.map(percent));
                let detail = format!(
                    "of {} triples; y→y above 0 in {yy}, z→z above 0 in {zz}, z→y above 0 in {yz}, y→z below 0 in {zy}",
                    found.count
                );
                Measured::at_least(found.all_signs, [0.8, 0.5], detail)
            }
        },
    },
    Claim {
        id: "y_ahead",
        claim: "So y gains more from the two sources than z.",
        measure: "share of the close triples in which those attributions to y sum to more than those to z",
        unit: Unit::Share,
        thresholds: "holds from 80 %, partly from 50 %",
        measured: |evidence| match evidence.triples.statistics() {
            None => Measured::not_asked("lists are too short"),
            Some(found) => Measured::at_least(found.y_ahead, [0.8, 0.5], format!("of {} triples", found.count)),
        },
    },
    Claim {
        id: "runs_survive_without_direct_path",
        claim: "d, d+1, d+2 does not become adversarial when the direct path is removed.",
        measure: "accuracy at d in random lists with d, d+1 and d+2, the direct path replaced by its mean",
        unit: Unit::Share,
        thresholds: "holds from 95 %, partly from 80 %",
        measured: |evidence| match &evidence.without_direct_path {
            None => Measured::not_asked("lists are too short"),
            Some(found) => {
                let post = found
                    .post
                    .map_or(String::new(), |(broken, of)| format!("; {broken} of the post's {of} triples go wrong"));
                let detail = format!("of {} steps; with it {}{post}", found.size, percent(found.before));
                Measured::at_least(found.after, [0.95, 0.8], detail)
            }
        },
    },
];

/// The share of wrong predictions over gaps at which some head attends most to the value itself.
fn gaps_fail(evidence: &Evidence) -> Measured {
    let sites = evidence.gaps.iter().flat_map(|(_, sites)| sites);
    let wrong: Vec<&PredictionSite> = sites.filter(|site| !site.correct).collect();
    if wrong.is_empty() {
        return Measured::not_asked("no step over a gap is wrong");
    }
    let detail = format!("of {} wrong steps", wrong.len());
    Measured::at_least(share(&wrong, |site| site.attends_most_to(site.d)), [0.8, 0.5], detail)
}

/// The share of wrong predictions over the largest third of the gaps.
fn large_gaps(evidence: &Evidence) -> Measured {
    let gaps = &evidence.gaps;
    let third = gaps.len() / 3;
    if third == 0 {
        return Measured::not_asked("fewer than three gaps");
    }
    let wrong = |gaps: &[(u32, Vec<PredictionSite>)]| {
        let sites: Vec<&PredictionSite> = gaps.iter().flat_map(|(_, sites)| sites).collect();
        share(&sites, |site| !site.correct)
    };
    let (small, large) = (wrong(&gaps[..third]), wrong(&gaps[gaps.len() - third..]));
    let detail =
        format!("gaps from {}; {} over gaps up to {}", gaps[gaps.len() - third].0, percent(small), gaps[third - 1].0);
    Measured::judged(large, large >= 0.05 && large >= 10.0 * small, large >= 0.01 && large >= 2.0 * small, detail)
}
