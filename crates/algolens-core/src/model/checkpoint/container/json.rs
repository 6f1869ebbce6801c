//! JSON: names and nested lists of numbers.

use super::{
    bytes::Bytes,
    limits::{Budget, MOST_VALUES},
    tensor::{Dtype, Storage, Tensor},
    value::Value,
};
use crate::{Error, Result};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::{cell::Cell, collections::HashSet, fmt, sync::Arc};

/// What JSON text says, without tensors. Nested too deeply, with too many values, or with a key twice in one object, it is
/// refused.
pub(super) fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    parse_at_most(MOST_VALUES, text)
}

fn parse_at_most(most: usize, text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = AnyValue { most, left: &Cell::new(most) }.deserialize(&mut deserializer)?;
    deserializer.end().map(|()| value)
}

/// The values of a file; lists of numbers are tensors.
pub(super) fn read(bytes: &Bytes, budget: &mut Budget) -> Result<Value> {
    // A byte order mark is no JSON, but some editors write one.
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let value = parse(text).map_err(|error| Error::checkpoint(format_args!("as JSON: {error}")))?;
    with_tensors(&value, "the file", budget)
}

/// The value with tensors for what is a list of numbers, or such lists of equal shape.
fn with_tensors(value: &Value, name: &str, budget: &mut Budget) -> Result<Value> {
    match value {
        Value::Dict(dict) => {
            let entries = dict.entries().iter().map(|(key, value)| {
                let name = key.as_text().unwrap_or_default();
                Ok((key.clone(), with_tensors(value, name, budget)?))
            });
            Ok(Value::dict(entries.collect::<Result<_>>()?))
        }
        Value::List(_) => {
            let Some(shape) = shape_of(value) else { return list_with_tensors(value, name, budget) };
            budget.claim(shape.iter().product::<usize>() * size_of::<f64>(), name)?;
            let mut numbers = Vec::new();
            append_numbers(value, &mut numbers);
            let storage = Storage::new(Bytes::from(numbers), Dtype::Float64);
            let wrong = |(expected, found): (String, String)| Error::invalid(name, expected, found);
            Ok(Value::Tensor(Arc::new(Tensor::dense(storage, shape).map_err(wrong)?)))
        }
        other => Ok(other.clone()),
    }
}

/// A list that is no tensor; what stands in it may be.
fn list_with_tensors(value: &Value, name: &str, budget: &mut Budget) -> Result<Value> {
    let Value::List(list) = value else { return Ok(value.clone()) };
    if list.items().iter().all(|item| !matches!(item, Value::Dict(_))) {
        return Ok(value.clone());
    }
    let items = list.items().iter().map(|item| with_tensors(item, name, budget));
    Ok(Value::list(items.collect::<Result<_>>()?))
}

/// The shape of nested lists of numbers, none of them empty; none if they are something else or have several shapes.
fn shape_of(value: &Value) -> Option<Vec<usize>> {
    match value {
        Value::Int(_) | Value::Float(_) => Some(Vec::new()),
        Value::List(list) => {
            let (first, rest) = list.items().split_first()?;
            let mut shape = shape_of(first)?;
            rest.iter().all(|item| shape_of(item).as_ref() == Some(&shape)).then_some(())?;
            shape.insert(0, list.items().len());
            Some(shape)
        }
        _ => None,
    }
}

fn append_numbers(value: &Value, numbers: &mut Vec<u8>) {
    match value {
        Value::List(list) => list.items().iter().for_each(|item| append_numbers(item, numbers)),
        other => numbers.extend(other.as_float().unwrap_or(f64::NAN).to_le_bytes()),
    }
}

/// Any value, whose objects name no key twice; each takes one from how many are left.
#[derive(Clone, Copy)]
struct AnyValue<'a> {
    most: usize,
    left: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let too_many = || D::Error::custom(format_args!("more than {} values", self.most));
        self.left.set(self.left.get().checked_sub(1).ok_or_else(too_many)?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::None)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::list(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let (mut seen, mut entries) = (HashSet::<Arc<str>>::new(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            let (key, value) = (Arc::<str>::from(key), map.next_value_seed(self)?);
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("the key {key:?} is there twice")));
            }
            entries.push((Value::Text(key), value));
        }
        Ok(Value::dict(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_before_they_are_kept() {
        let text = br#"{"a": [1, 2, [3]], "b": null}"#;
        assert!(parse_at_most(7, text).is_ok());
        assert!(parse_at_most(6, text).unwrap_err().to_string().starts_with("more than 6 values"));
    }
}
