//! Claims about lists with d, d+1, d+2 once the direct path is removed.

use super::{evidence::Evidence, experiments::Run};
use crate::claims::{Claim, Control::RandomWeights, Measured, Rate, Thresholds, Unit};

/// The claims about lists with d, d+1, d+2 without the direct path.
pub const CLAIMS: &[Claim<Evidence>] = &[
    Claim {
        id: "runs_survive_without_direct_path",
        claim: "d, d+1, d+2 does not become adversarial when the direct path is removed: d+2 is not predicted after d.",
        measure: "share of random lists with d, d+1 and d+2 in which d+2 is predicted at d, the direct path replaced by its mean",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_most(0.05, 0.2),
        // That something is not said is as true of a model that knows nothing; only one that sorts is asked.
        controls: &[],
        measured: |evidence| {
            let says_z = |run: &Run| run.without == run.values[2];
            match rate(&evidence.runs.random, says_z) {
                None => Measured::not_asked("lists are too short"),
                Some(found) => {
                    let right = rate(&evidence.runs.random, |run| run.without == run.values[1]);
                    let right = right.map_or(String::new(), |right| format!("; d+1 in {right}"));
                    let post = &evidence.runs.post;
                    let of_post = post.iter().filter(|run| says_z(run)).count();
                    let of_post = if post.is_empty() {
                        String::new()
                    } else {
                        format!("; in {of_post} of the post's {} triples", post.len())
                    };
                    Measured::rate(&found, format!("of {} lists{right}{of_post}", found.lists()))
                }
            }
        },
    },
    Claim {
        id: "direct_path_silences_d",
        claim: "The direct path keeps d from being predicted after itself (not in the post).",
        measure: "share of random lists with d, d+1 and d+2 in which d is predicted at d, the direct path replaced by its mean, less \
                  that with the direct path",
        unit: Unit::Points,
        behaviour: true,
        thresholds: |_| Thresholds::at_least(0.05, 0.01),
        controls: &[RandomWeights],
        measured: |evidence| {
            let [without, with] = [|run: &Run| run.without == run.values[0], |run: &Run| run.answer == run.values[0]]
                .map(|says_d| rate(&evidence.runs.random, says_d));
            match (without, with) {
                (Some(without), Some(with)) => {
                    Measured::difference(&without, &with, format!("{without}, with it {with}"))
                }
                _ => Measured::not_asked("lists are too short"),
            }
        },
    },
];

/// The rate of runs, each a list of its own.
fn rate(runs: &[Run], holds: impl Fn(&Run) -> bool) -> Option<Rate> {
    Rate::by_list(runs.iter().map(holds).enumerate())
}
