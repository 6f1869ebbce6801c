//! Names of tensors with numbers in them: `layers.{layer}.heads.{head}.W_Q.weight`.

use crate::{Error, Result};

/// The numbers that a name has where a pattern has `{layer}` and `{head}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Numbers {
    pub layer: Option<usize>,
    pub head: Option<usize>,
}

/// What the places of a pattern stand for.
///
/// # Errors
/// A place that is not `{layer}` or `{head}`, or one of them twice.
pub(super) fn places(pattern: &str) -> Result<Vec<&str>> {
    let wrong = || Error::invalid(pattern, "no place but {layer} and {head}, each once", pattern);
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some((_, after)) = rest.split_once('{') {
        let (place, after) = after.split_once('}').ok_or_else(wrong)?;
        if !["layer", "head"].contains(&place) || found.contains(&place) {
            return Err(wrong());
        }
        found.push(place);
        rest = after;
    }
    Ok(found)
}

/// The pattern of a name: its first number is a layer's; its second is a head's, if that stands before it.
pub(super) fn pattern(name: &str) -> String {
    let mut places = vec!["{head}", "{layer}"];
    let mut before = "";
    let mut parts = Vec::new();
    for part in name.split('.') {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let is_place = is_number && (places.len() == 2 || before.contains("head"));
        parts.push(if is_place { places.pop().unwrap_or(part) } else { part });
        before = part;
    }
    parts.join(".")
}

/// The numbers of a name; none if it is not of the pattern.
pub(super) fn numbers(pattern: &str, name: &str) -> Option<Numbers> {
    let (mut pattern, mut name) = (pattern, name);
    let mut found = Numbers::default();
    while let Some((before, rest)) = pattern.split_once('{') {
        name = name.strip_prefix(before)?;
        let (place, after) = rest.split_once('}')?;
        let digits = name.find(|c: char| !c.is_ascii_digit()).unwrap_or(name.len());
        let (number, rest_of_name) = name.split_at(digits);
        // No zero stands before other digits, so that every number is written in one way.
        if number.len() > 1 && number.starts_with('0') {
            return None;
        }
        let number = Some(number.parse().ok()?);
        match place {
            "layer" => found.layer = number,
            "head" => found.head = number,
            _ => return None,
        }
        (pattern, name) = (after, rest_of_name);
    }
    (pattern == name).then_some(found)
}

/// The name of a pattern with a layer's number.
pub(super) fn of_layer(pattern: &str, layer: Option<usize>) -> String {
    layer.map_or_else(|| pattern.to_owned(), |layer| pattern.replace("{layer}", &layer.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_off_names() {
        let pattern = "layers.{layer}.heads.{head}.W_Q.weight";
        let found = numbers(pattern, "layers.3.heads.12.W_Q.weight").unwrap();
        assert_eq!((found.layer, found.head), (Some(3), Some(12)));
        for other in
            ["layers.3.heads..W_Q.weight", "layers.3.heads.01.W_Q.weight", "layers.x.heads.1.W_Q.weight", "layers.3"]
        {
            assert_eq!(numbers(pattern, other), None, "{other}");
        }
        assert_eq!(numbers("unembed.weight", "unembed.weight"), Some(Numbers::default()));
        assert_eq!(of_layer("blocks.{layer}.attn.W_Q", Some(2)), "blocks.2.attn.W_Q");
    }

    #[test]
    fn names_are_patterns_but_for_their_numbers() {
        assert_eq!(pattern("layers.3.heads.12.W_Q.weight"), "layers.{layer}.heads.{head}.W_Q.weight");
        assert_eq!(pattern("a.1.mlp.0.weight"), "a.{layer}.mlp.0.weight");
        assert_eq!(pattern("conv1d.weight"), "conv1d.weight");
        assert_eq!(places("layers.{layer}.heads.{head}").unwrap(), ["layer", "head"]);
        for wrong in ["{layer}.{layer}", "{neuron}", "{layer", "{}"] {
            assert!(places(wrong).is_err(), "{wrong}");
        }
    }
}
