//! What a value is, in a few words.

use super::{super::container::Value, maps::entries};

/// What a value is, in a few words for who expected a state dict.
pub(super) fn describe(value: &Value) -> String {
    const SHOWN: usize = 8;
    match value {
        Value::None => "nothing (None)".into(),
        Value::Bool(_) => "a truth value".into(),
        Value::Int(_) | Value::Float(_) => "a number".into(),
        Value::Text(_) => "a text".into(),
        Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
        Value::Name(name) => format!("the name {name}"),
        Value::Cycle => "a value that holds itself".into(),
        Value::Tensor(tensor) => format!("a bare tensor, {tensor:?}, without a name"),
        Value::List(list) => {
            let count = list.items().len();
            let all = |is: fn(&Value) -> bool| count > 0 && list.items().iter().all(is);
            if all(|item| item.as_float().is_some()) {
                format!("a list of {count} numbers")
            } else if all(|item| matches!(item, Value::Tensor(_))) {
                format!("a list of {count} tensors without names")
            } else {
                format!("a list of {count} values without a state dict")
            }
        }
        Value::Dict(_) => {
            let keys: Vec<_> = entries(value).unwrap_or_default().into_iter().map(|(name, _)| name).collect();
            let more = if keys.len() > SHOWN { ", …" } else { "" };
            let shown = keys.iter().take(SHOWN).map(|key| &**key).collect::<Vec<_>>().join(", ");
            let without = if value.tensors() == 0 { "tensors" } else { "a state dict" };
            if keys.is_empty() { "an empty dict".into() } else { format!("a dict without {without}: {shown}{more}") }
        }
        Value::Object(object) => format!("an object of {} without tensors that have names", object.class),
    }
}
