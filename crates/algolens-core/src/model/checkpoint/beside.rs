//! A config that stands beside the weights in their file.

use super::{
    container::{Dict, Value},
    settings::Settings,
};
use crate::Result;
use serde_json::{Map, Value as Json};

/// What the configs beside a state dict say of its model: objects and dicts in the words of `HookedTransformerConfig`.
///
/// # Errors
/// An option that no model of the family has.
pub(super) fn settings(beside: &[(String, Value)]) -> Result<Option<Settings>> {
    let mut configs = beside.iter().filter_map(|(_, value)| attributes(value).map(json));
    configs.find(Settings::speak_of).map(|config| Settings::from_config(&config)).transpose()
}

fn attributes(value: &Value) -> Option<&Dict> {
    match value {
        Value::Object(object) => Some(&object.attributes),
        value => value.as_dict(),
    }
}

fn json(config: &Dict) -> Map<String, Json> {
    let entries = config.entries().iter();
    entries.filter_map(|(key, value)| Some((key.as_text()?.to_owned(), plain(value)?))).collect()
}

/// A plain value as JSON; none of what a config says by other ones is about what a model computes.
fn plain(value: &Value) -> Option<Json> {
    Some(match value {
        Value::None => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(int) => (*int).into(),
        Value::Float(float) => (*float).into(),
        Value::Text(text) => Json::from(&**text),
        Value::List(list) => Json::Array(list.items().iter().map(plain).collect::<Option<_>>()?),
        _ => return None,
    })
}
