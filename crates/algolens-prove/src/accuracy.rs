//! Accuracy bounds over all lists, from the proved shares of the classes.

use super::{Classes, Decided};
use algolens_check::certificate::{Status, Tally};
use algolens_core::task::Token;
use std::collections::HashMap;

/// Bounds of token and list accuracy over all lists.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bounds {
    /// Lower and upper bound of the share of predictions.
    pub token: [f64; 2],
    /// Lower and upper bound of the share of lists.
    pub list: [f64; 2],
}

/// The accuracy bounds that the proved shares of every class imply.
///
/// A list is correct unless one of its predictions is not proved correct (a union bound over positions), and is correct
/// when all of its classes are certified (counted exactly): the better of the two. It is wrong if some prediction is
/// wrong: as often as at the position where that is known most often, or as often as some class knows it to be wrong
/// for the first time (of which no list is counted twice), whichever is more.
pub fn bounds(classes: &Classes, decided: &[Decided]) -> Bounds {
    let positions = classes.space().predictions();
    let (mut not_right, mut wrong, mut first_wrong) = (vec![0.0; positions], vec![0.0; positions], 0.0);
    for (class, decided) in classes.all().iter().zip(decided) {
        let share = classes.share(*class) * positions as f64;
        not_right[class.position] += share * (1.0 - decided.right);
        wrong[class.position] += share * decided.wrong;
        first_wrong += share * decided.first_wrong;
    }
    let sum = |of: &[f64]| of.iter().sum::<f64>();
    let mean = |of: &[f64]| sum(of) / positions as f64;
    let by_union = 1.0 - sum(&not_right);
    Bounds {
        token: [1.0 - mean(&not_right), 1.0 - mean(&wrong)],
        list: [
            by_union.max(certified_lists(classes, decided)),
            1.0 - wrong.iter().copied().fold(first_wrong, f64::max),
        ],
    }
}

/// The share of lists all of whose classes are certified.
fn certified_lists(classes: &Classes, decided: &[Decided]) -> f64 {
    let certified = decided.iter().map(|decided| decided.status == Status::Certified);
    share_of_lists(classes, certified)
}

/// The share of lists all of whose classes are marked, by dynamic programming: for each position and last token, the
/// number of ways to choose the values so far.
pub fn share_of_lists(classes: &Classes, marked: impl IntoIterator<Item = bool>) -> f64 {
    // By the prediction and the value that makes it; the first is made by what every list has, or by its last value.
    let mut ways: HashMap<(usize, Option<Token>), u128> = HashMap::new();
    for (class, marked) in classes.all().iter().zip(marked) {
        let so_far = match class.position {
            0 => classes.first_ways(*class),
            _ => ways.get(&(class.position, class.token)).copied().unwrap_or(0),
        };
        if marked {
            *ways.entry((class.position + 1, Some(class.target))).or_default() += so_far;
        }
    }
    let all = classes.space().predictions();
    let sets: u128 = ways.iter().filter(|((position, _), _)| *position == all).map(|(_, ways)| ways).sum();
    sets as f64 / classes.all_sets() as f64
}

/// Tallies of the classes by status: their number, and their share of all predictions.
pub fn tally(classes: &Classes, decided: &[Decided]) -> (Tally<usize>, Tally<f64>) {
    let (mut counts, mut mass) = (Tally::default(), Tally::default());
    for (class, decided) in classes.all().iter().zip(decided) {
        let share = classes.share(*class);
        counts.total += 1;
        mass.total += share;
        let (count, mass) = match decided.status {
            Status::Certified => (&mut counts.certified, &mut mass.certified),
            Status::Refuted => (&mut counts.refuted, &mut mass.refuted),
            Status::Undecided => (&mut counts.undecided, &mut mass.undecided),
        };
        *count += 1;
        *mass += share;
    }
    (counts, mass)
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::task::MaxOfList;

    /// Of nine lists of two values up to 2, five have a 2: where all is right of these and nothing known of others, adding up
    /// what may fail at each position says less.
    #[test]
    fn lists_of_certified_classes_are_right() {
        for (separators, classes_of_two) in [(true, 2), (false, 3)] {
            let classes = Classes::of(&MaxOfList::new(2, 2, 1, separators).unwrap()).unwrap();
            let is_of_two = |class: &algolens_check::certificate::Class| {
                if class.position > 0 { class.token == Some(2) } else { class.target == 2 }
            };
            let decided: Vec<Decided> = classes
                .all()
                .iter()
                .map(|class| match is_of_two(class) {
                    true => Decided { status: Status::Certified, right: 1.0, wrong: 0.0, first_wrong: 0.0 },
                    false => Decided { status: Status::Undecided, right: 0.0, wrong: 0.0, first_wrong: 0.0 },
                })
                .collect();
            assert_eq!(classes.all().iter().filter(|class| is_of_two(class)).count(), classes_of_two);
            let Bounds { token, list } = bounds(&classes, &decided);
            for (found, expected) in [(token, 5.0 / 9.0), (list, 5.0 / 9.0)] {
                assert!((found[0] - expected).abs() < 1e-12 && found[1] == 1.0, "{found:?}");
            }
        }
    }
}
