//! Thresholds of claims, and what a number is worth by them alone.

use super::{finding::Verdict, unit::Unit};

/// The numbers for which a claim holds, and those for which it holds partly; ends belong to them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Thresholds {
    holds: [f64; 2],
    partly: [f64; 2],
}

impl Thresholds {
    /// A claim that holds from `holds` on, and partly from `partly` on.
    pub const fn at_least(holds: f64, partly: f64) -> Self {
        Self { holds: [holds, f64::INFINITY], partly: [partly, f64::INFINITY] }
    }

    /// A claim that holds up to `holds`, and partly up to `partly`.
    pub const fn at_most(holds: f64, partly: f64) -> Self {
        Self { holds: [f64::NEG_INFINITY, holds], partly: [f64::NEG_INFINITY, partly] }
    }

    /// A claim that holds between two numbers, and partly between two that lie further apart.
    pub const fn within(holds: [f64; 2], partly: [f64; 2]) -> Self {
        Self { holds, partly }
    }

    /// The verdict on a number without any control. A threshold inside its 95 % interval makes it
    /// [partly](Verdict::Partly): the lists do not tell on which side of it the model is.
    pub fn verdict(self, value: f64, interval: Option<[f64; 2]>) -> Verdict {
        let within = |[low, high]: [f64; 2]| (low..=high).contains(&value);
        let inside = |[low, high]: [f64; 2]| {
            [self.holds, self.partly].as_flattened().iter().any(|end| low < *end && *end < high)
        };
        match (within(self.holds), within(self.partly)) {
            _ if interval.is_some_and(inside) => Verdict::Partly,
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Partly,
            (false, false) => Verdict::Fails,
        }
    }

    /// How far a number is ahead of a control's: above it where a claim holds from a number on, below it where it holds up to
    /// one, and away from it where it holds between two.
    pub(super) fn ahead(self, value: f64, control: f64) -> f64 {
        match self.holds.map(f64::is_finite) {
            [true, false] => value - control,
            [false, true] => control - value,
            _ => (value - control).abs(),
        }
    }

    /// Both ranges, in words: `holds from 80 %, partly from 50 %`.
    pub(super) fn words(self, unit: Unit) -> String {
        let range = |[low, high]: [f64; 2]| {
            let [from, to] = [low, high].map(|end| unit.threshold(end));
            match [low, high].map(f64::is_finite) {
                [true, false] => format!("from {from}"),
                [false, true] => format!("up to {to}"),
                _ => format!("from {from} to {to}"),
            }
        };
        let (holds, partly) = (range(self.holds), range(self.partly));
        if holds == partly { format!("holds {holds}") } else { format!("holds {holds}, partly {partly}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_judged_by_the_ranges_it_lies_in_and_by_its_interval() {
        use Verdict::{Fails, Holds, Partly};
        let up = Thresholds::at_least(0.8, 0.5);
        let down = Thresholds::at_most(0.05, 0.1);
        let between = Thresholds::within([2.0, 4.0], [2.0, 8.0]);
        for (thresholds, value, interval, expected) in [
            (up, 0.8, None, Holds),
            (up, 0.79, None, Partly),
            (up, 0.5, None, Partly),
            (up, 0.49, None, Fails),
            (up, 0.9, Some([0.81, 0.95]), Holds),
            (up, 0.9, Some([0.79, 0.95]), Partly),
            (up, 0.9, Some([0.8, 0.95]), Holds),
            (up, 0.48, Some([0.4, 0.49]), Fails),
            (up, 0.48, Some([0.4, 0.51]), Partly),
            (down, 0.05, None, Holds),
            (down, 0.051, None, Partly),
            (down, 0.11, None, Fails),
            (down, 0.03, Some([0.01, 0.06]), Partly),
            (between, 2.0, None, Holds),
            (between, 5.0, None, Partly),
            (between, 9.0, None, Fails),
            (between, 1.0, None, Fails),
        ] {
            assert_eq!(thresholds.verdict(value, interval), expected, "{value} {interval:?}");
        }
        assert_eq!([up.ahead(0.9, 0.2), down.ahead(0.9, 0.2), between.ahead(1.0, 4.0)], [0.9 - 0.2, 0.2 - 0.9, 3.0]);
        assert_eq!(up.words(Unit::Share), "holds from 80 %, partly from 50 %");
        assert_eq!(down.words(Unit::Points), "holds up to 5 points, partly up to 10 points");
        assert_eq!(between.words(Unit::Count), "holds from 2 to 4, partly from 2 to 8");
        assert_eq!(Thresholds::at_least(2.0, 2.0).words(Unit::Ratio), "holds from 2 times");
        assert_eq!(Thresholds::at_least(2.0, 1.25).words(Unit::Ratio), "holds from 2 times, partly from 1.25 times");
    }
}
