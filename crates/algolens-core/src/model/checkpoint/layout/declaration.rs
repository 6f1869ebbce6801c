//! What a layout is, and the words to declare one.

use super::{super::settings::Settings, axes::Axes, names::places, targets};
use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// A layout, as it is declared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// What it is called.
    pub name: String,
    /// What a model of it is where neither its tensors nor a user say otherwise, in the words of `HookedTransformerConfig`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// What its tensors are.
    pub weight: Vec<Rule>,
    /// Names of tensors that are no weights.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buffer: Vec<String>,
    /// What of all its models the tensors do not tell, so that the layout must be said, and its name.
    #[serde(skip)]
    pub unsaid: Option<(&'static str, &'static str)>,
}

/// What some tensors of a layout are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The tensors' names: `{layer}` and `{head}` stand for numbers from 0 on.
    pub from: String,
    /// Their axes: `d_model (head d_head)`.
    pub axes: String,
    /// The weights that they are, by TransformerLens's names; several where `qkv` is one of the axes.
    pub to: Vec<String>,
    /// Whether a model may be without.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

/// The axis of a tensor that is three weights.
pub(super) const QKV: &str = "qkv";

impl Layout {
    /// Whether its rules can be followed, whatever the tensors.
    ///
    /// # Errors
    /// A rule whose axes are none, whose weights there are not, or that leaves open for which layer or weight it is; a config
    /// that no model of the family has.
    pub fn check(&self) -> Result<()> {
        self.weight.iter().try_for_each(Rule::check)?;
        for name in &self.buffer {
            places(name)?;
        }
        self.usual().map(drop)
    }

    /// What is usual of its models.
    ///
    /// # Errors
    /// As [`Settings::from_config`].
    pub(super) fn usual(&self) -> Result<Settings> {
        Settings::from_config(&self.config)
    }
}

impl Rule {
    fn check(&self) -> Result<()> {
        let axes = Axes::parse(&self.axes).map_err(|error| Error::invalid(&self.from, "axes", error))?;
        if axes.0.is_empty() {
            return Err(Error::invalid(&self.from, "axes", "none"));
        }
        let places = places(&self.from)?;
        let wanted = if axes.flat().any(|axis| axis == QKV) { 3 } else { 1 };
        if self.to.len() != wanted {
            let expected = format!("{wanted} names of weights for the axes {axes}");
            return Err(Error::invalid(&self.from, expected, self.to.len()));
        }
        for to in &self.to {
            let target = targets::find(to).ok_or_else(|| {
                Error::unknown("weight", to, targets::ALL.iter().map(|target| target.name.to_owned()))
            })?;
            if to.contains("{layer}") != places.contains(&"layer") {
                return Err(Error::invalid(&self.from, format!("{{layer}} just where {to} has it"), &self.from));
            }
            let heads = target.axes.split(' ').any(|axis| axis == "head");
            if places.contains(&"head") && !heads {
                return Err(Error::invalid(&self.from, format!("no {{head}}, as {to} has none"), &self.from));
            }
        }
        Ok(())
    }
}

/// What is usual of models of a layout.
pub(super) fn config(parts: &[(&str, &str)]) -> serde_json::Map<String, serde_json::Value> {
    parts.iter().map(|(key, value)| ((*key).to_owned(), (*value).into())).collect()
}

/// A rule for a tensor that must be there.
pub(super) fn weight(from: &str, axes: &str, to: &str) -> Rule {
    let to = to.split(' ').map(str::to_owned).collect();
    Rule { from: from.into(), axes: axes.into(), to, optional: false }
}

/// A rule for a tensor that may be absent.
pub(super) fn optional(from: &str, axes: &str, to: &str) -> Rule {
    Rule { optional: true, ..weight(from, axes, to) }
}
