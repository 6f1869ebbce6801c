//! Units of numbers.

use serde::{Deserialize, Serialize};

/// The unit of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// A share, from 0 to 1.
    Share,
    /// The difference of two shares, from −1 to 1; shown in percentage points.
    Points,
    /// A number of things.
    Count,
    /// A token.
    Value,
    /// A ratio of two numbers.
    Ratio,
    /// A distance, in standard deviations.
    Deviations,
    /// Logits.
    Logits,
    /// Cross-entropy or entropy, in nats.
    Nats,
    /// A probability.
    Probability,
    /// A share of right answers.
    Accuracy,
}

impl Unit {
    /// A number of this unit, in words.
    pub fn number(self, value: f64) -> String {
        match self {
            Self::Share => format!("{:.1} %", 100.0 * value),
            Self::Points => format!("{:.1} points", 100.0 * value),
            Self::Count | Self::Value => format!("{value:.0}"),
            Self::Ratio => format!("{value:.2} times"),
            Self::Deviations => format!("{value:.1} standard deviations"),
            Self::Logits => format!("{value:+.2}"),
            Self::Nats | Self::Probability => format!("{value:.3}"),
            Self::Accuracy => format!("{value:.4}"),
        }
    }

    /// A threshold of this unit, in words: without decimals that say nothing.
    pub(super) fn threshold(self, value: f64) -> String {
        let text = self.number(value).replacen(".00 ", " ", 1).replacen(".0 ", " ", 1);
        if text == "1 points" { "1 point".into() } else { text }
    }
}
