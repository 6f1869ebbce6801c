//! Accuracy bounds over all lists, from the lists proved of each class.

use super::{
    class::{Class, Counts},
    replay::Lists,
    sizes::Asks,
};
use crate::certificate::{Status, Tally};
use serde::Serialize;

/// Bounds of an accuracy over all lists.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// Lower bound.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
}

/// Proved shares of all lists of one predicted position.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct PositionShares {
    /// The share proved correct.
    pub right: f64,
    /// The share proved wrong.
    pub wrong: f64,
    /// The share of which neither is proved.
    pub open: f64,
}

/// Accuracies, tallies and shares that a certificate's evidence proves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Proved {
    /// Bounds of the share of correct predictions, over all lists.
    pub token_accuracy: Bounds,
    /// Bounds of the share of lists of which every prediction is correct.
    pub list_accuracy: Bounds,
    /// Number of classes by proved status.
    pub classes: Tally<usize>,
    /// Their shares of all predictions.
    pub mass: Tally<f64>,
    /// Proved shares by predicted position.
    pub positions: Vec<PositionShares>,
}

/// A class's share of all predictions.
pub(super) fn share(class: &Class, counts: &Counts, predictions: usize) -> f64 {
    class.sets as f64 / (counts.sets() as f64 * predictions as f64)
}

/// The proved status of a class; `shown` if a counterexample of it was verified.
pub(super) fn status(lists: Lists, shown: bool) -> Status {
    match lists {
        Lists { wrong, .. } if wrong > 0 || shown => Status::Refuted,
        Lists { total, right, .. } if right == total => Status::Certified,
        _ => Status::Undecided,
    }
}

/// Tallies of classes by status: their number and shares.
pub(super) fn tally(classes: impl Iterator<Item = (Status, f64)>) -> (Tally<usize>, Tally<f64>) {
    let (mut counts, mut mass) = (Tally::<usize>::default(), Tally::<f64>::default());
    for (status, share) in classes {
        let (count, status_mass) = match status {
            Status::Certified => (&mut counts.certified, &mut mass.certified),
            Status::Refuted => (&mut counts.refuted, &mut mass.refuted),
            Status::Undecided => (&mut counts.undecided, &mut mass.undecided),
        };
        *count += 1;
        *status_mass += share;
        counts.total += 1;
        mass.total += share;
    }
    (counts, mass)
}

/// The sums over classes of what is proved of each.
pub(super) fn add_up(counts: &Counts, classes: &[(Class, Lists, Status)]) -> Proved {
    let predictions = counts.sizes.predictions();
    let mut right = vec![0; predictions];
    let mut wrong = vec![0; predictions];
    for (class, lists, _) in classes {
        right[class.position] += lists.right;
        wrong[class.position] += lists.wrong;
    }
    let shares = classes.iter().map(|(class, _, status)| (*status, share(class, counts, predictions)));
    let (by_status, mass) = tally(shares);

    let all = counts.lists;
    let all_predictions = all * predictions as u128;
    let token_accuracy = Bounds {
        lower: at_most(right.iter().sum(), all_predictions),
        upper: at_least(all_predictions - wrong.iter().sum::<u128>(), all_predictions),
    };
    // Lists that may fail somewhere are no more than those that may fail at each position, added up.
    let not_proved: u128 = right.iter().map(|right| all - right).sum();
    let by_failures = at_most(all.saturating_sub(not_proved), all);
    let by_sets = at_most(sets_proved(counts, classes), counts.sets());
    // Lists that are wrong at one position, or that some class has wrong first: none is counted twice.
    let first_wrong: u128 = classes.iter().map(|(_, lists, _)| lists.first_wrong).sum();
    let lists_wrong = wrong.iter().copied().fold(first_wrong, u128::max);
    let list_accuracy = Bounds { lower: by_failures.max(by_sets), upper: at_least(all - lists_wrong, all) };
    let positions = right.iter().zip(&wrong).map(|(right, wrong)| PositionShares {
        right: ratio(*right, all),
        wrong: ratio(*wrong, all),
        open: ratio(all - right - wrong, all),
    });
    Proved { token_accuracy, list_accuracy, classes: by_status, mass, positions: positions.collect() }
}

/// Number of value sets all of whose classes are certified, as paths from value to value; of lists, where the largest is asked
/// for.
fn sets_proved(counts: &Counts, classes: &[(Class, Lists, Status)]) -> u128 {
    if counts.sizes.asks != Asks::Sorted {
        let largest = |class: &Class| counts.sizes.largest(class.token, class.target);
        let fails = classes.iter().filter(|(class, lists, _)| class.position > 0 && lists.right < lists.total);
        let fail_later: Vec<usize> = fails.map(|(class, ..)| largest(class)).collect();
        let first = classes.iter().filter(|(class, lists, _)| class.position == 0 && lists.right == lists.total);
        let both = first.filter(|(class, ..)| !fail_later.contains(&largest(class)));
        return both.map(|(class, ..)| class.sets).sum();
    }
    let mut paths = vec![vec![0_u128; counts.sizes.values]; counts.sizes.list_len];
    for (class, ..) in classes.iter().filter(|(_, lists, _)| lists.right == lists.total) {
        let before = match class.token {
            None => 1,
            Some(token) => paths[class.position - 1][token],
        };
        paths[class.position][class.target] += before;
    }
    paths.last().map_or(0, |last| last.iter().sum())
}

/// An upper bound of 1 + the relative error of two conversions and a division.
const ROUNDED: f64 = 1.0 + 4.0 * f64::EPSILON;

/// The ratio, rounded.
fn ratio(part: u128, whole: u128) -> f64 {
    part as f64 / whole as f64
}

/// A lower bound of the ratio; 1 if it is 1.
fn at_most(part: u128, whole: u128) -> f64 {
    if part == whole { 1.0 } else { ratio(part, whole) / ROUNDED }
}

/// An upper bound of the ratio, at most 1.
fn at_least(part: u128, whole: u128) -> f64 {
    (ratio(part, whole) * ROUNDED).min(1.0)
}
