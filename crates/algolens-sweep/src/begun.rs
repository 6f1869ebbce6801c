//! What a sweep is, as its folder says it: the plan, and the version that began it.

use crate::Plan;
use algolens::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// What `sweep.json` holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Begun {
    algolens: String,
    plan: Value,
}

/// What stands in the folder of a plan's sweep, as JSON.
///
/// # Errors
/// Never for a plan that was read.
pub fn begun(plan: &Plan) -> Result<String> {
    let broken = |error: serde_json::Error| Error::invalid("plan", "JSON", error);
    let plan = serde_json::to_value(plan).map_err(broken)?;
    let begun = Begun { algolens: env!("CARGO_PKG_VERSION").into(), plan };
    serde_json::to_string_pretty(&begun).map_err(broken)
}

/// The plan with what its sweep has settled, where that is what stands in a folder and this version began it.
///
/// # Errors
/// Names the version, or the first part of the plan that differs.
pub fn check_begun(bytes: &[u8], plan: Plan) -> Result<Plan> {
    let found: Begun =
        serde_json::from_slice(bytes).map_err(|error| Error::invalid("sweep", "the plan of one, as JSON", error))?;
    let version = env!("CARGO_PKG_VERSION");
    if found.algolens != version {
        let expected = format!("one that algolens {version} began");
        return Err(Error::invalid("sweep", expected, format!("algolens {}", found.algolens)));
    }
    let begun = Plan::from_json(found.plan)?;
    let plan = Plan { vectors: plan.vectors.or_else(|| begun.vectors.clone()), ..plan };
    let json = |plan: &Plan| serde_json::to_value(plan).map_err(|error| Error::invalid("plan", "JSON", error));
    let (expected, found) = (json(&plan)?, json(&begun)?);
    let parts = expected.as_object().into_iter().flatten();
    match parts.map(|(part, value)| (part, value, &found[part])).find(|(_, value, found)| value != found) {
        None => Ok(plan),
        Some((part, value, found)) => {
            let expected = format!("{found}, as the sweep in the folder began with");
            Err(Error::invalid(part.as_str(), expected, format!("{value} (another sweep has another folder)")))
        }
    }
}

/// SHA-256 of what [`begun`] says of a plan, in hexadecimal: which sweep a row is of.
///
/// # Errors
/// Never for a plan that was read.
pub fn digest(plan: &Plan) -> Result<String> {
    Ok(Sha256::digest(begun(plan)?).iter().map(|byte| format!("{byte:02x}")).collect())
}
