//! Arithmetic modulo p: cosines of a few frequencies (Nanda et al. 2023; of logarithms where it multiplies, Furuta et al. 2024),
//! and whether the right logit depends on how far the numbers lie apart (Zhong et al. 2023).

use super::{
    judged::{STAGES, judge},
    logit_table::LogitTable,
};
use crate::{
    Arrays, Case, Casebook, Study, Subject,
    claims::{Claim, Control::RandomWeights, Measured, Thresholds, Unit},
};
use algolens_core::{
    Result,
    task::{ModularArithmetic, Operation, Token},
};
use std::f64::consts::TAU;

/// The frequencies of which the share is claimed.
const KEYS: usize = 5;

/// Measurements of one model of arithmetic modulo p; none where there is no group of numbers to transform over, or too many pairs.
pub struct Evidence {
    /// The frequencies above 0 with their share of the logits' squares, largest first.
    frequencies: Vec<(usize, f64)>,
    /// Distance irrelevance (Zhong et al. 2023, section 4.2).
    irrelevance: f64,
}

impl Casebook for ModularArithmetic {
    fn stages(&self) -> &'static [&'static str] {
        STAGES
    }

    fn write(&self, case: &mut Case, study: &mut Study, _: &mut Arrays) -> Result<()> {
        judge(case, study, self, CLAIMS, |subject, _| evidence(subject, self), |_| "predictions")
    }
}

const CLAIMS: &[Claim<Option<Evidence>>] = &[
    Claim {
        id: "few_frequencies",
        claim: "The logits are cosines of x + y − z at a few key frequencies, z being the class (of logarithms, where numbers are \
                multiplied; with y's sign turned, where they are subtracted or divided).",
        measure: "share of the squares of the logits, less their mean over classes, on all pairs, that the five largest frequencies \
                  of the group make (where numbers are multiplied or divided, of pairs and classes without 0)",
        unit: Unit::Share,
        behaviour: false,
        thresholds: |_| Thresholds::at_least(0.9, 0.6),
        controls: &[RandomWeights],
        measured: |evidence| match evidence {
            None => Measured::not_asked(NO_TABLE),
            Some(Evidence { frequencies, .. }) => {
                let keys: Vec<_> = frequencies.iter().filter(|(_, share)| *share >= 0.01).collect();
                let keys: Vec<String> = keys
                    .iter()
                    .take(12)
                    .map(|(frequency, share)| format!("{frequency} ({:.1} %)", 100.0 * share))
                    .collect();
                let detail =
                    if keys.is_empty() { "none makes 1 %".into() } else { format!("1 % or more: {}", keys.join(", ")) };
                Measured::number(frequencies.iter().take(KEYS).map(|(_, share)| share).sum(), detail)
            }
        },
    },
    Claim {
        id: "pizza",
        claim: "The right logit depends on how far x and y lie apart, as in the pizza algorithm and not in the clock.",
        measure: "distance irrelevance: the mean standard deviation of the right logits of pairs of one distance, by that of all; the distance is x − y, and as y is added in the group: x + y where it is \
                  taken off, of logarithms where numbers are multiplied or divided",
        unit: Unit::Share,
        behaviour: true,
        thresholds: |_| Thresholds::at_most(0.4, 0.6),
        controls: &[RandomWeights],
        measured: |evidence| match evidence {
            None => Measured::not_asked(NO_TABLE),
            Some(evidence) => Measured::number(evidence.irrelevance, "published: 0.17 of pizza models, 0.85 of clocks"),
        },
    },
];

const NO_TABLE: &str = "there is no cyclic group of numbers, or there are too many pairs";

fn evidence(subject: Subject, task: &ModularArithmetic) -> Result<Option<Evidence>> {
    let Some(group) = Cyclic::of(task) else { return Ok(None) };
    let Some(table) = LogitTable::of(subject, task, group.elements())? else { return Ok(None) };
    let sum = |pair| group.sum(pair);
    let means = table.means(group.order, |pair, class| {
        let class = group.coordinate(class)?;
        Some((sum(pair)? + group.order - class) % group.order)
    });
    let each = (group.order * group.order) as f64;
    let squares = table.squares().max(f64::MIN_POSITIVE);
    let mut frequencies: Vec<(usize, f64)> =
        (1..=group.order / 2).map(|frequency| (frequency, each * power(&means, frequency) / squares)).collect();
    frequencies.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(Some(Evidence { frequencies, irrelevance: irrelevance(&table, task, &group) }))
}

/// The sum of squares of a frequency's part of a function over a cyclic group.
fn power(function: &[f64], frequency: usize) -> f64 {
    let n = function.len();
    let part = |phase: f64| -> f64 {
        let wave = |at: usize| (TAU * ((frequency * at) % n) as f64 / n as f64 - phase).cos();
        function.iter().enumerate().map(|(at, value)| value * wave(at)).sum()
    };
    let both = if 2 * frequency == n { 1.0 } else { 2.0 };
    both * (part(0.0).powi(2) + part(TAU / 4.0).powi(2)) / n as f64
}

fn irrelevance(table: &LogitTable, task: &ModularArithmetic, group: &Cyclic) -> f64 {
    let mut by_distance: Vec<Vec<f64>> = vec![Vec::new(); group.order];
    for ([x, y], logits) in table.pairs.iter().zip(table.logits.outer_iter()) {
        if let (Some(a), Some(b)) = (group.coordinate(*x), group.second(*y)) {
            let answer = table.classes.iter().position(|class| *class == task.answer(*x, *y));
            by_distance[(a + group.order - b) % group.order].extend(answer.map(|answer| logits[answer]));
        }
    }
    let all = deviation(&by_distance.concat());
    by_distance.iter().map(|logits| deviation(logits)).sum::<f64>() / group.order as f64 / all.max(f64::MIN_POSITIVE)
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len().max(1) as f64;
    (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len().max(1) as f64).sqrt()
}

/// The cyclic group in which an operation adds: the numbers below p themselves, or the logarithms of all but 0.
struct Cyclic {
    order: usize,
    coordinates: Vec<Option<usize>>,
    /// Whether the second number is taken off.
    takes_off: bool,
}

impl Cyclic {
    /// The group; none of products modulo a number without a primitive root of all but 0, or of p below 4.
    fn of(task: &ModularArithmetic) -> Option<Self> {
        let p = task.p();
        if p < 4 {
            return None;
        }
        let takes_off = matches!(task.op(), Operation::Sub | Operation::Div);
        if matches!(task.op(), Operation::Add | Operation::Sub) {
            return Some(Self { order: p as usize, coordinates: (0..p as usize).map(Some).collect(), takes_off });
        }
        let order = p as usize - 1;
        let logarithms = |root: Token| -> Option<Vec<Option<usize>>> {
            let mut coordinates = vec![None; p as usize];
            let powers = std::iter::successors(Some(1), |power| Some(power * root % p)).take(order);
            for (exponent, power) in powers.enumerate() {
                let coordinate = &mut coordinates[power as usize];
                if power == 0 || coordinate.is_some() {
                    return None;
                }
                *coordinate = Some(exponent);
            }
            Some(coordinates)
        };
        let coordinates = (1..p).find_map(logarithms)?;
        Some(Self { order, coordinates, takes_off })
    }

    /// The numbers that have coordinates.
    fn elements(&self) -> Vec<Token> {
        let numbers = self.coordinates.iter().zip(0..);
        numbers.filter(|(coordinate, _)| coordinate.is_some()).map(|(_, number)| number).collect()
    }

    fn coordinate(&self, number: Token) -> Option<usize> {
        self.coordinates[number as usize]
    }

    /// The coordinate of the second number, as it is added.
    fn second(&self, number: Token) -> Option<usize> {
        let coordinate = self.coordinate(number)?;
        Some(if self.takes_off { (self.order - coordinate) % self.order } else { coordinate })
    }

    fn sum(&self, [x, y]: [Token; 2]) -> Option<usize> {
        Some((self.coordinate(x)? + self.second(y)?) % self.order)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sums_of_coordinates() {
        for op in [Operation::Add, Operation::Sub, Operation::Mul, Operation::Div] {
            let task = ModularArithmetic::new(13, op, false).unwrap();
            let group = Cyclic::of(&task).unwrap();
            for (x, y) in (1..13).flat_map(|x| (1..13).map(move |y| (x, y))) {
                assert_eq!(group.sum([x, y]), group.coordinate(task.answer(x, y)), "{op:?} {x} {y}");
            }
        }
        assert!(Cyclic::of(&ModularArithmetic::new(12, Operation::Mul, false).unwrap()).is_none());
    }

    #[test]
    fn frequencies_share_the_squares_of_a_function() {
        for n in [12, 13] {
            let wave = |at: usize, frequency: usize| (TAU * (frequency * at) as f64 / n as f64 + 0.3).cos();
            let function: Vec<f64> = (0..n).map(|at| 2.0 * wave(at, 5) - wave(at, 6)).collect();
            let squares: f64 = function.iter().map(|value| value * value).sum();
            let powers: Vec<f64> = (1..=n / 2).map(|frequency| power(&function, frequency)).collect();
            assert!((powers.iter().sum::<f64>() - squares).abs() < 1e-9, "{powers:?} {squares}");
            assert!((powers[4] - 2.0 * n as f64).abs() < 1e-9 && powers[0] < 1e-9);
        }
    }
}
