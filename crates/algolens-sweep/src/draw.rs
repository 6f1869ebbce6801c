//! Samples: recipes whose fields are drawn.

use algolens::{Error, Result, random, train::Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};
use std::collections::BTreeMap;

/// So many draws of some fields.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Sample {
    /// How many draws there are.
    pub draws: usize,
    /// The seed that they derive from; a draw does not depend on how many there are.
    pub seed: u64,
    /// From where each field is drawn.
    pub fields: BTreeMap<String, Draw>,
}

/// From where a field is drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub(crate) enum Draw {
    /// One of these, each as often.
    Of(Vec<Value>),
    /// A number between two, both of which it may be; a whole one, if both are whole.
    Between {
        /// The least.
        from: Number,
        /// The most.
        to: Number,
        /// What is uniform.
        #[serde(default)]
        scale: Scale,
    },
}

/// What is uniform of a drawn number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scale {
    /// The number itself.
    #[default]
    Linear,
    /// Its logarithm; a whole number is rounded.
    Log,
}

impl Sample {
    /// The fields of a draw.
    pub fn draw(&self, draw: usize) -> Fields {
        let value = |(path, from): (&String, &Draw)| {
            (path.clone(), from.at(random::digest(self.seed, &format!("sweep {draw}: {path}"), [])))
        };
        self.fields.iter().map(value).collect()
    }

    /// Whether there is something to draw, and from where.
    ///
    /// # Errors
    /// Names what is empty, or no range.
    pub fn check(&self) -> Result<()> {
        if self.draws == 0 {
            return Err(Error::invalid("sample.draws", "1 or more", 0));
        }
        if self.fields.is_empty() {
            return Err(Error::invalid("sample.fields", "fields to draw", "none"));
        }
        self.fields.iter().try_for_each(|(path, draw)| draw.check(path))
    }
}

impl Draw {
    /// What a random number of 64 bits gives.
    fn at(&self, bits: u64) -> Value {
        // A number in [0, 1) with all the digits that it can have.
        let u = (bits >> 11) as f64 / (1_u64 << 53) as f64;
        let share = |of: i128| ((u128::from(bits) * of as u128) >> 64) as i128;
        match self {
            Self::Of(values) => values[share(values.len() as i128) as usize].clone(),
            Self::Between { from, to, scale } => match (whole(from), whole(to), scale) {
                (Some(low), Some(high), Scale::Linear) => whole_value(low + share(high - low + 1)),
                (Some(low), Some(high), Scale::Log) => {
                    whole_value((exponential(low as f64, high as f64, u).round() as i128).clamp(low, high))
                }
                (_, _, Scale::Linear) => {
                    let (low, high) = (number(from), number(to));
                    Value::from((low + u * (high - low)).clamp(low, high))
                }
                (_, _, Scale::Log) => Value::from(exponential(number(from), number(to), u)),
            },
        }
    }

    /// Values that it may give, by which a recipe is asked whether it can have them.
    pub fn examples(&self) -> Vec<Value> {
        match self {
            Self::Of(values) => values.clone(),
            Self::Between { .. } => vec![self.at(0), self.at(u64::MAX)],
        }
    }

    /// From where it is drawn, in words.
    pub fn words(&self) -> String {
        match self {
            Self::Of(values) => values.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or "),
            Self::Between { from, to, scale: Scale::Linear } => format!("{from} to {to}"),
            Self::Between { from, to, scale: Scale::Log } => format!("{from} to {to}, on a log scale"),
        }
    }

    fn check(&self, path: &str) -> Result<()> {
        match self {
            Self::Of(values) if values.is_empty() => Err(Error::invalid(path, "values to draw from", "none")),
            Self::Of(_) => Ok(()),
            Self::Between { from, to, scale } => {
                let (low, high) = (number(from), number(to));
                if low >= high || whole(from).zip(whole(to)).is_some_and(|(low, high)| low >= high) {
                    return Err(Error::invalid(
                        path,
                        "a range `from` one number `to` a larger",
                        format!("{from} to {to}"),
                    ));
                }
                if *scale == Scale::Log && low <= 0.0 {
                    return Err(Error::invalid(
                        path,
                        "a range above 0, as its scale is log",
                        format!("{from} to {to}"),
                    ));
                }
                Ok(())
            }
        }
    }
}

/// A number between two whose logarithm is a share of the way, with the same bits on every machine.
fn exponential(low: f64, high: f64, u: f64) -> f64 {
    let [from, to] = [low, high].map(libm::log);
    libm::exp(from + u * (to - from)).clamp(low, high)
}

fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

/// A whole number that JSON can hold, as one between two such is.
fn whole_value(number: i128) -> Value {
    i64::try_from(number).map_or_else(|_| Value::from(number as u64), Value::from)
}

fn number(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn draws(from: Value, draws: usize) -> Vec<f64> {
        let fields = BTreeMap::from([("x".to_owned(), serde_json::from_value(from).unwrap())]);
        let sample = Sample { draws, seed: 3, fields };
        sample.check().unwrap();
        (0..draws).map(|draw| sample.draw(draw)["x"].as_f64().unwrap()).collect()
    }

    #[test]
    fn draws_are_uniform_on_their_scale_and_reach_both_ends() {
        let whole = draws(json!({ "from": 1, "to": 4 }), 4000);
        for value in 1..=4 {
            let share = whole.iter().filter(|found| **found == f64::from(value)).count() as f64 / 4000.0;
            // Four standard deviations of a share of a quarter.
            assert!((share - 0.25).abs() < 0.028, "{value}: {share}");
        }
        let log = draws(json!({ "from": 1e-4, "to": 1e-2, "scale": "log" }), 4000);
        let below = log.iter().filter(|found| **found < 1e-3).count() as f64 / 4000.0;
        assert!((below - 0.5).abs() < 0.032 && log.iter().all(|found| (1e-4..=1e-2).contains(found)), "{below}");
        let linear = draws(json!({ "from": -1.0, "to": 3.0 }), 4000);
        assert!((linear.iter().sum::<f64>() / 4000.0 - 1.0).abs() < 0.08);
        assert!(draws(json!([5, 7]), 50).contains(&5.0));
    }

    #[test]
    fn extremes_are_drawn_as_they_are_said() {
        let at = |from: Value, bits| serde_json::from_value::<Draw>(from).unwrap().at(bits);
        let odd = json!({ "from": 9_007_199_254_740_993_i64, "to": 9_007_199_254_740_995_i64 });
        assert_eq!(at(odd.clone(), 0), 9_007_199_254_740_993_i64);
        assert_eq!(at(odd, u64::MAX), 9_007_199_254_740_995_i64);
        assert_eq!(at(json!({ "from": 0, "to": u64::MAX }), u64::MAX), u64::MAX);
        let far = json!({ "from": 1e-200, "to": 1e200, "scale": "log" });
        let middle = at(far, 1 << 63).as_f64().unwrap();
        assert!((0.999..1.001).contains(&middle), "{middle}");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for (from, expected) in [
            (json!([]), "x: expected values to draw from, found none"),
            (json!({ "from": 2, "to": 1 }), "x: expected a range `from` one number `to` a larger, found 2 to 1"),
            (
                json!({ "from": 0.0, "to": 1.0, "scale": "log" }),
                "x: expected a range above 0, as its scale is log, found 0.0 to 1.0",
            ),
        ] {
            let draw: Draw = serde_json::from_value(from).unwrap();
            assert_eq!(draw.check("x").unwrap_err().to_string(), expected);
        }
    }
}
