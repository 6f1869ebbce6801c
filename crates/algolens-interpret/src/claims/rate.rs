//! Rates over lists, with exact intervals.

use statrs::function::beta::inv_beta_reg;
use std::{collections::BTreeMap, fmt};

/// The share of steps that do something, over steps of lists that were drawn independently; the steps of one list are not
/// independent of each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    share: f64,
    steps: usize,
    lists: usize,
    /// The number of independent steps that would tell as much.
    effective: f64,
}

impl Rate {
    /// The rate over steps, each the number of its list and whether it counts; none where there is no step.
    ///
    /// It is worth as many independent steps as give a share p the variance that the lists show, p (1 − p) / Var p, with Var p
    /// the variance of a ratio between lists: Σ (hits − p steps)² · L / (L − 1) / (Σ steps)² over L lists (Korn & Graubard,
    /// *Confidence Intervals for Proportions with Small Expected Number of Positive Counts*, 1998). It is never worth fewer than
    /// there are lists, nor more than there are steps; where no list differs from another, as many as there are lists.
    pub fn by_list(steps: impl IntoIterator<Item = (usize, bool)>) -> Option<Self> {
        let mut lists = BTreeMap::<usize, [usize; 2]>::new();
        for (list, hit) in steps {
            let [hits, steps] = lists.entry(list).or_default();
            *hits += usize::from(hit);
            *steps += 1;
        }
        let [hits, steps] = lists.values().fold([0, 0], |sum, list| [sum[0] + list[0], sum[1] + list[1]]);
        if steps == 0 {
            return None;
        }
        let (share, count) = (hits as f64 / steps as f64, lists.len() as f64);
        let squares: f64 = lists.values().map(|[hits, steps]| (*hits as f64 - share * *steps as f64).powi(2)).sum();
        let variance = squares * count / (count - 1.0).max(1.0) / (steps as f64).powi(2);
        let effective = if variance > 0.0 { share * (1.0 - share) / variance } else { count };
        Some(Self { share, steps, lists: lists.len(), effective: effective.clamp(count, steps as f64) })
    }

    /// The share.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Number of lists that they stand in.
    pub fn lists(&self) -> usize {
        self.lists
    }

    /// The exact interval of a confidence below 1 (Clopper & Pearson, 1934): of as many independent steps as the rate is worth.
    pub fn interval(&self, confidence: f64) -> [f64; 2] {
        let (n, tail) = (self.effective, (1.0 - confidence) / 2.0);
        let hits = self.share * n;
        let low = if hits > 0.0 { inv_beta_reg(hits, n - hits + 1.0, tail) } else { 0.0 };
        let high = if hits < n { inv_beta_reg(hits + 1.0, n - hits, 1.0 - tail) } else { 1.0 };
        [low, high]
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [low, high] = self.interval(0.95).map(|end| 100.0 * end);
        write!(f, "{:.1} % ({low:.1} to {high:.1}, {} steps)", 100.0 * self.share, self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step a list.
    fn of(hits: usize, lists: usize) -> Rate {
        Rate::by_list((0..lists).map(|list| (list, list < hits))).unwrap()
    }

    /// Newcombe, *Two-sided confidence intervals for the single proportion*, Statistics in Medicine 17 (1998), table I, method 5.
    #[test]
    fn one_step_a_list_gives_the_published_intervals() {
        for (hits, lists, expected) in [
            (81, 263, [0.2527, 0.3676]),
            (15, 148, [0.0578, 0.1617]),
            (0, 20, [0.0, 0.1684]),
            (1, 29, [0.0009, 0.1776]),
        ] {
            let found = of(hits, lists).interval(0.95);
            assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 5.1e-5), "{hits} of {lists}: {found:?}");
        }
        let [low, high] = of(29, 29).interval(0.95);
        assert!((low - 0.025_f64.powf(1.0 / 29.0)).abs() < 1e-9 && high == 1.0);
    }

    /// An end of the interval is the share for which so many hits or more (or fewer) are as rare as the tail.
    #[test]
    fn ends_are_where_the_binomial_tails_are() {
        let tail = |n: usize, from: usize, to: usize, p: f64| -> f64 {
            (from..=to)
                .map(|k| {
                    (0..k).fold(1.0, |c, i| c * (n - i) as f64 / (i + 1) as f64)
                        * p.powi(k as i32)
                        * (1.0 - p).powi((n - k) as i32)
                })
                .sum()
        };
        for (hits, n) in [(1, 7), (3, 12), (20, 40), (39, 40)] {
            let [low, high] = of(hits, n).interval(0.9);
            assert!((tail(n, hits, n, low) - 0.05).abs() < 1e-9, "{hits} of {n}");
            assert!((tail(n, 0, hits, high) - 0.05).abs() < 1e-9, "{hits} of {n}");
        }
    }

    #[test]
    fn steps_of_a_list_count_as_much_as_they_differ() {
        let steps = |hit: fn(usize, usize) -> bool| {
            Rate::by_list((0..40).flat_map(|list| (0..9).map(move |step| (list, hit(list, step))))).unwrap()
        };
        // Lists that are right or wrong as a whole are worth one step each.
        let alike = steps(|list, _| list < 30);
        assert_eq!((alike.steps(), alike.lists(), alike.share()), (360, 40, 0.75));
        assert!((alike.effective - 40.0).abs() < 2.0, "{}", alike.effective);
        // Lists in which as many steps are right tell no less than so many single steps.
        assert_eq!(steps(|_, step| step < 3).effective, 40.0);
        let unlike = steps(|list, step| (list * 31 + step * 17) % 10 < 3);
        assert!(unlike.effective > 200.0, "{}", unlike.effective);
        // Where nothing is ever right, the lists are all that is known.
        assert_eq!(steps(|_, _| false).interval(0.95), of(0, 40).interval(0.95));
        assert_eq!(Rate::by_list([]), None);
    }
}
