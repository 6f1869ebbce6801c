//! The measurement of a claim on one model.

use super::rate::Rate;

/// The measurement of a claim on one model.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// No number, and the reason why.
    NotAsked(String),
    /// The number that is judged.
    Number {
        /// The number.
        value: f64,
        /// Its 95 % interval over lists, where lists were drawn for it.
        interval: Option<[f64; 2]>,
        /// Further numbers, in words.
        detail: String,
    },
}

/// The confidence of every interval.
const CONFIDENCE: f64 = 0.95;
/// The confidence of each of two intervals that hold together with that of one (Bonferroni's inequality).
const EACH_OF_TWO: f64 = 1.0 - (1.0 - CONFIDENCE) / 2.0;

impl Measured {
    /// No number, and the reason why.
    pub fn not_asked(why: impl Into<String>) -> Self {
        Self::NotAsked(why.into())
    }

    /// A number that does not depend on which lists were drawn, or has no interval.
    pub fn number(value: f64, detail: impl Into<String>) -> Self {
        Self::Number { value, interval: None, detail: detail.into() }
    }

    /// A rate, with its exact interval.
    pub fn rate(rate: &Rate, detail: impl Into<String>) -> Self {
        Self::Number { value: rate.share(), interval: Some(rate.interval(CONFIDENCE)), detail: detail.into() }
    }

    /// A rate less another. The interval is that of all differences between the two rates' exact intervals of 97.5 % each.
    pub fn difference(rate: &Rate, other: &Rate, detail: impl Into<String>) -> Self {
        let ([low, high], [other_low, other_high]) = (rate.interval(EACH_OF_TWO), other.interval(EACH_OF_TWO));
        let interval = Some([low - other_high, high - other_low]);
        Self::Number { value: rate.share() - other.share(), interval, detail: detail.into() }
    }

    /// A rate by another, with the interval of all ratios between the two rates' exact intervals of 97.5 % each. Where the other
    /// rate is 0, half a step is counted; where its interval starts at 0, that of the ratio ends at the rate's upper end by
    /// half a step.
    pub fn ratio(rate: &Rate, other: &Rate, detail: impl Into<String>) -> Self {
        let ([low, high], [other_low, other_high]) = (rate.interval(EACH_OF_TWO), other.interval(EACH_OF_TWO));
        let least = 0.5 / other.steps() as f64;
        let interval = Some([low / other_high.max(least), high / other_low.max(least)]);
        Self::Number { value: rate.share() / other.share().max(least), interval, detail: detail.into() }
    }

    /// The number; none where the claim is not asked.
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::NotAsked(_) => None,
            Self::Number { value, .. } => Some(*value),
        }
    }

    /// The number's interval, where it has one.
    pub fn interval(&self) -> Option<[f64; 2]> {
        match self {
            Self::NotAsked(_) => None,
            Self::Number { interval, .. } => *interval,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(hits: usize, lists: usize) -> Rate {
        Rate::by_list((0..lists).map(|list| (list, list < hits))).unwrap()
    }

    #[test]
    fn differences_and_ratios_carry_what_two_intervals_allow() {
        let (often, seldom, never) = (rate(30, 100), rate(10, 100), rate(0, 100));
        let ([low, high], [other_low, other_high]) = (often.interval(0.975), seldom.interval(0.975));
        let Measured::Number { value, interval, .. } = Measured::difference(&often, &seldom, "") else { panic!() };
        assert_eq!((value, interval), (0.3 - 0.1, Some([low - other_high, high - other_low])));
        let Measured::Number { value, interval, .. } = Measured::ratio(&often, &seldom, "") else { panic!() };
        assert_eq!((value, interval), (0.3 / 0.1, Some([low / other_high, high / other_low])));
        let Measured::Number { value, interval, .. } = Measured::ratio(&often, &never, "") else { panic!() };
        assert_eq!((value, interval.unwrap()[1]), (0.3 / 0.005, high / 0.005));
        let Measured::Number { value, interval, .. } = Measured::ratio(&never, &never, "") else { panic!() };
        assert_eq!((value, interval.unwrap()[0]), (0.0, 0.0));
    }
}
