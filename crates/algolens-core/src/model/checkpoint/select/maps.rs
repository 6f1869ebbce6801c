//! Values that are maps of names, and the tensors in them.

use super::super::container::{Budget, Dict, MODULE_PARTS, Object, Tensor, Value};
use crate::Result;
use std::{borrow::Cow, collections::HashSet, sync::Arc};

/// A value of a map, and its name there.
pub(super) type Entry<'a> = (Cow<'a, str>, &'a Value);

/// A tensor of a map, and the name that it has from there.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub name: String,
    pub tensor: Arc<Tensor>,
    /// The entry of the map that it stands in, where that is a map itself.
    pub within: Option<Arc<str>>,
}

/// What it takes to look at an entry, in the bytes of a budget: no more than a file has for it, so that only a value that
/// is looked at again and again takes too much.
pub(super) const ENTRY: usize = 4;

/// What a map holds by name; none for what is no map. A module of `torch.nn` holds its parameters, its buffers and other
/// modules, as in its state dict.
pub(super) fn entries(value: &Value) -> Option<Vec<Entry<'_>>> {
    match value {
        Value::Dict(dict) => Some(named(dict).collect()),
        Value::Object(object) if object.is_module => Some(of_module(object)),
        Value::Object(object) if !object.items.entries().is_empty() => Some(named(&object.items).collect()),
        // A dict of another kind (a frozen one, say) is made of one.
        Value::Object(object) if object.attributes.entries().is_empty() => match object.args.items() {
            [Value::Dict(dict)] => Some(named(dict).collect()),
            _ => None,
        },
        _ => None,
    }
}

/// How many values are looked at to tell what a value holds by name, or by number.
pub(super) fn size(value: &Value) -> usize {
    let of = |dict: &Dict| dict.entries().len();
    let inner = |value: &Value| match value {
        Value::Dict(dict) => of(dict),
        Value::List(list) => list.items().len(),
        _ => 0,
    };
    match value {
        Value::Object(object) => {
            let parts = object.attributes.entries().iter().map(|(_, part)| inner(part));
            let attributes = if object.is_module { parts.sum() } else { 0 };
            let args = object.args.items().first().map_or(0, inner);
            of(&object.attributes) + attributes + of(&object.items) + args
        }
        other => inner(other),
    }
}

/// What a map holds beside tensors: its other entries, and its attributes; a module's entries are all of tensors.
pub(super) fn plain(value: &Value) -> Vec<Entry<'_>> {
    let is_module = matches!(value, Value::Object(object) if object.is_module);
    let entries = if is_module { Vec::new() } else { entries(value).unwrap_or_default() };
    let all = entries.into_iter().chain(attributes(value));
    all.filter(|(_, value)| value.tensors() == 0).collect()
}

/// The attributes of an object; of a module, those that are no parts of it.
pub(super) fn attributes(value: &Value) -> Vec<Entry<'_>> {
    match value {
        Value::Object(object) => {
            named(&object.attributes).filter(|(name, _)| !(object.is_module && name.starts_with('_'))).collect()
        }
        _ => Vec::new(),
    }
}

fn named(dict: &Dict) -> impl Iterator<Item = Entry<'_>> {
    dict.entries().iter().filter_map(|(key, value)| {
        let name = match key {
            Value::Text(text) => Cow::Borrowed(&**text),
            other => Cow::Owned(other.key_text()?),
        };
        Some((name, value))
    })
}

fn of_module(object: &Object) -> Vec<Entry<'_>> {
    let left_out: HashSet<&str> = match object.attributes.get("_non_persistent_buffers_set") {
        Some(Value::List(names)) => names.items().iter().filter_map(Value::as_text).collect(),
        _ => HashSet::new(),
    };
    let parts = MODULE_PARTS.iter().filter_map(|part| Some((*part, object.attributes.get(part)?.as_dict()?)));
    let entries = parts.flat_map(|(part, dict)| {
        named(dict).filter(|(name, _)| part != "_buffers" || !left_out.contains(&**name)).collect::<Vec<_>>()
    });
    entries.collect()
}

/// Whether a value is what an optimizer keeps.
pub(super) fn is_optimizer(value: &Value) -> bool {
    value.get("param_groups").is_some() && value.get("state").is_some()
}

/// The tensors of a map: its own, and those of its entries that hold nothing but tensors.
pub(super) fn leaves(entries: &[Entry<'_>], budget: &mut Budget) -> Result<Vec<Leaf>> {
    let mut leaves = Vec::new();
    for (name, value) in entries {
        match value {
            Value::Tensor(tensor) => {
                budget.claim(name.len(), "a name")?;
                leaves.push(Leaf { name: name.to_string(), tensor: tensor.clone(), within: None });
            }
            other if other.is_only_tensors() => {
                budget.claim(size(other) * ENTRY, "a map")?;
                if !is_optimizer(other) {
                    append(other, name, &Arc::from(&**name), &mut leaves, budget)?;
                }
            }
            _ => {}
        }
    }
    Ok(leaves)
}

/// Appends the tensors below a name.
fn append(value: &Value, name: &str, within: &Arc<str>, leaves: &mut Vec<Leaf>, budget: &mut Budget) -> Result<()> {
    for (key, value) in entries(value).unwrap_or_default() {
        budget.claim(size(value) * ENTRY, "a map")?;
        if value.tensors() == 0 {
            continue;
        }
        let name = format!("{name}.{key}");
        budget.claim(name.len(), "a name")?;
        match value {
            Value::Tensor(tensor) => {
                leaves.push(Leaf { name, tensor: tensor.clone(), within: Some(within.clone()) });
            }
            other => append(other, &name, within, leaves, budget)?,
        }
    }
    Ok(())
}
