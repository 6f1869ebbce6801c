//! Places in a run that are looked at or changed: a hook point, or one head there.

use super::Head;
use algolens_core::{
    Error, Result,
    engine::hooks::{BlockPoint, HookPoint},
    model::Config,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The activation at a hook point, or one head's part of it: `blocks.0.hook_mlp_out`, `blocks.0.attn.hook_z.1`.
///
/// It is written as the point's name, with the head's index on the head axis after a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Site {
    /// The hook point.
    pub point: HookPoint,
    /// The head; none for the whole activation.
    pub head: Option<usize>,
}

impl Site {
    /// Checks that a model has the site.
    ///
    /// # Errors
    /// A point that the model does not have, a head at a point without heads, or one that the model does not have.
    pub fn check(self, config: &Config) -> Result<()> {
        HookPoint::find(&self.point.to_string(), config)?;
        match (self.head, self.point.head_axis()) {
            (None, _) => Ok(()),
            (Some(head), Some(_)) if head < self.point.heads(config) => Ok(()),
            (Some(head), Some(_)) => Err(Error::invalid(
                format!("head at {}", self.point),
                format!("below {}", self.point.heads(config)),
                head,
            )),
            (Some(head), None) => {
                let expected = "no head, as the activation there has no axis of heads";
                Err(Error::invalid(self.point.to_string(), expected, format!("head {head}")))
            }
        }
    }

    /// The shape of one sequence's activation there: that of the point, without the axis of heads where a head is named.
    pub fn shape(self, config: &Config, seq: usize) -> Vec<usize> {
        let mut shape = self.point.shape(config, seq);
        if let (Some(_), Some(axis)) = (self.head, self.point.head_axis()) {
            shape.remove(axis);
        }
        shape
    }

    /// The axis of positions in that shape.
    pub(super) fn position_axis(self) -> usize {
        if self.head.is_some() { 0 } else { self.point.position_axis() }
    }
}

impl From<HookPoint> for Site {
    fn from(point: HookPoint) -> Self {
        Self { point, head: None }
    }
}

/// What a head adds to the residual stream.
impl From<Head> for Site {
    fn from(Head { layer, head }: Head) -> Self {
        Self { point: HookPoint::Block(layer, BlockPoint::Result), head: Some(head) }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.head {
            None => self.point.fmt(f),
            Some(head) => write!(f, "{}.{head}", self.point),
        }
    }
}

impl FromStr for Site {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let head = text.rsplit_once('.').and_then(|(point, head)| Some((point, head.parse().ok()?)));
        match head {
            Some((point, head)) => Ok(Self { point: point.parse()?, head: Some(head) }),
            None => Ok(Self { point: text.parse()?, head: None }),
        }
    }
}

impl From<Site> for String {
    fn from(site: Site) -> Self {
        site.to_string()
    }
}

impl TryFrom<String> for Site {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}
