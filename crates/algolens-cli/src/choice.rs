//! Flags whose value is one of a few names: the names that JSON and TOML have too.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error};

/// Parses one of `names`, which are what serde calls the values of `T`.
pub fn choice<T>(names: &'static [&'static str]) -> impl TypedValueParser<Value = T>
where
    T: DeserializeOwned + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(names).try_map(|name| T::deserialize(IntoDeserializer::<Error>::into_deserializer(name)))
}
