//! The values of flags: how their texts are parsed.

use algolens::{
    model::{ActFn, AttentionDir, Biases, Normalization, Positions, checkpoint::PositionalEmbedding},
    task::TaskSpec,
    train::{Keep, Optimizer, Schedule},
};
use clap::{
    builder::{PossibleValuesParser, TypedValueParser, ValueParser},
    value_parser,
};
use serde::{Serialize, de::DeserializeOwned};

/// The value of a flag.
pub trait Value: Clone + Serialize + Send + Sync + 'static {
    /// The parser of its text.
    fn parser() -> ValueParser;
}

impl Value for u32 {
    fn parser() -> ValueParser {
        value_parser!(u32).into()
    }
}

impl Value for u64 {
    fn parser() -> ValueParser {
        value_parser!(u64).into()
    }
}

impl Value for usize {
    fn parser() -> ValueParser {
        value_parser!(usize).into()
    }
}

impl Value for TaskSpec {
    fn parser() -> ValueParser {
        value_parser!(TaskSpec).into()
    }
}

impl Value for f64 {
    fn parser() -> ValueParser {
        value_parser!(f64).into()
    }
}

impl Value for Optimizer {
    fn parser() -> ValueParser {
        choice::<Self>(&["adam", "adamw"])
    }
}

impl Value for Schedule {
    fn parser() -> ValueParser {
        choice::<Self>(&["linear", "cosine", "constant"])
    }
}

impl Value for Keep {
    fn parser() -> ValueParser {
        choice::<Self>(&["accuracy", "loss", "last"])
    }
}

impl Value for ActFn {
    fn parser() -> ValueParser {
        choice::<Self>(&["relu", "gelu", "gelu_new", "gelu_fast", "silu", "solu", "solu_ln"])
    }
}

impl Value for Biases {
    /// A recipe says which, where there are some.
    fn parser() -> ValueParser {
        let biases = |word: String| match word.as_str() {
            "all" => Ok::<_, std::convert::Infallible>(Self::ALL),
            _ => Ok(Self::NONE),
        };
        PossibleValuesParser::new(["all", "none"]).try_map(biases).into()
    }
}

impl Value for Normalization {
    fn parser() -> ValueParser {
        choice::<Self>(&["LN", "LNPre", "RMS", "RMSPre", "none"])
    }
}

impl Value for AttentionDir {
    fn parser() -> ValueParser {
        choice::<Self>(&["causal", "bidirectional"])
    }
}

impl Value for Positions {
    /// Rotary ones have numbers, which a recipe says.
    fn parser() -> ValueParser {
        choice::<Self>(&["standard", "shortformer", "none"])
    }
}

impl Value for PositionalEmbedding {
    fn parser() -> ValueParser {
        choice::<Self>(&["standard", "shortformer", "rotary", "none"])
    }
}

/// A parser of the values that serde knows by these names.
fn choice<V>(names: &'static [&'static str]) -> ValueParser
where
    V: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| serde_json::from_value::<V>(name.into())).into()
}
