//! Sequential linearization: descents of Σ ρ_h over the lists of a region.

use super::{logit_difference::LogitDifference, minimizer::Minimizer, oracle::Region, worst_case::WorstCase};

/// Sequential linearization (Frank–Wolfe with full moves) from the known list with the least Σ ρ_h: replaces Σ ρ_h by
/// its linear part at a list, minimizes that exactly, and starts again from the list found. Every list on the way joins
/// the minimizer's points.
pub(super) fn descend(minimizer: &mut Minimizer, difference: &LogitDifference, region: &Region) {
    const MOST_MOVES: usize = 20;
    let value = |minimizer: &Minimizer, point: usize| difference.sums(&minimizer.points[point].rows).sum_of_ratios();
    let values = (0..minimizer.points.len()).map(|point| (value(minimizer, point), point));
    let Some((mut least, mut at)) = values.min_by(|a, b| a.0.total_cmp(&b.0)) else { return };
    for _ in 0..MOST_MOVES {
        let (a, b) = difference.sums(&minimizer.points[at].rows).linear_part();
        let Some((_, next)) = minimizer.minimize(difference, region, &a, &b) else { return };
        let found = value(minimizer, next);
        if found >= least {
            return;
        }
        (least, at) = (found, next);
    }
}

/// The worst case that descents from a minimizer's points reach: against the rival of the worst case so far, until none
/// is worse.
pub(super) fn descend_from_worst(minimizer: &mut Minimizer, region: &Region) -> Option<WorstCase> {
    const MOST_ROUNDS: usize = 8;
    let mut worst = WorstCase::among_points(minimizer)?;
    for _ in 0..MOST_ROUNDS {
        let difference =
            LogitDifference::new(minimizer.rows, minimizer.rows.class.target as usize, worst.rival as usize, 0.0);
        descend(minimizer, &difference, region);
        let found = WorstCase::among_points(minimizer)?;
        if found.margin >= worst.margin {
            break;
        }
        worst = found;
    }
    Some(worst)
}
