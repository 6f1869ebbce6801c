//! Sums that do not depend on the order of what is added.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A sum of numbers, each rounded to a whole multiple of 2⁻⁶⁰ when it is added: the same bits in every order.
///
/// In JSON a string, the whole number of these multiples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(i128);

impl Sum {
    const UNIT: f64 = (1_u64 << 60) as f64;

    /// Adds a finite number.
    pub fn add(&mut self, number: f64) {
        self.0 = self.0.saturating_add((number * Self::UNIT).round() as i128);
    }

    /// Adds another sum.
    pub fn join(&mut self, other: Self) {
        self.0 = self.0.saturating_add(other.0);
    }

    /// The sum.
    pub fn value(self) -> f64 {
        self.0 as f64 / Self::UNIT
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_and_grouping_change_no_bit(mut numbers in prop::collection::vec(-1e3..1e3, 1..40), cut in 0_usize..40) {
            let sum = |numbers: &[f64]| numbers.iter().fold(Sum::default(), |mut sum, x| { sum.add(*x); sum });
            let whole = sum(&numbers);
            let cut = cut.min(numbers.len());
            let mut joined = sum(&numbers[cut..]);
            joined.join(sum(&numbers[..cut]));
            prop_assert_eq!(joined, whole);
            numbers.reverse();
            prop_assert_eq!(sum(&numbers), whole);
            prop_assert!((whole.value() - numbers.iter().sum::<f64>()).abs() < 1e-9);
            let json = serde_json::to_string(&whole).unwrap();
            prop_assert_eq!(serde_json::from_str::<Sum>(&json).unwrap(), whole);
        }
    }
}
