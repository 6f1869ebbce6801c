//! What a file holds, as a tree of inert values.

use super::{bytes::Bytes, tensor::Tensor};
use std::{collections::HashMap, sync::Arc};

/// A value of a file. Nothing in it was executed to make it, and nothing in it can be.
///
/// What a file mentions in several places is shared, so the tree may have many more paths than values. It is never nested
/// deeply, so that it can be walked by recursion.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Value {
    /// Python's None, JSON's null.
    None,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A float.
    Float(f64),
    /// A text; also a path, and the name of a device.
    Text(Arc<str>),
    /// Bytes; also a whole number beyond 64 bits, in two's complement, its lowest byte first.
    Bytes(Bytes),
    /// A list, a tuple or a set.
    List(Arc<List>),
    /// Values by key.
    Dict(Arc<Dict>),
    /// An object of a class.
    Object(Arc<Object>),
    /// A tensor.
    Tensor(Arc<Tensor>),
    /// A class, a function or a type of numbers, by its full name.
    Name(Arc<str>),
    /// Something that this value stands in.
    Cycle,
}

/// Values in order.
#[derive(Debug, Default)]
pub struct List {
    items: Vec<Value>,
    tensors: usize,
}

/// Values by key, in the order of the file.
#[derive(Debug, Default)]
pub struct Dict {
    entries: Vec<(Value, Value)>,
    tensors: usize,
    only_tensors: bool,
    /// Whether it has the parts of a module.
    of_module: bool,
}

/// An object of a class that is not built: what the file says of it.
#[derive(Debug)]
pub struct Object {
    /// The class or function, by its full name.
    pub class: Arc<str>,
    /// What it was called with.
    pub args: Arc<List>,
    /// Its attributes.
    pub attributes: Arc<Dict>,
    /// What it holds as a list, if it is one.
    pub elements: Arc<List>,
    /// What it holds by key, if it is a dict.
    pub items: Arc<Dict>,
    /// Its state, where that is something else than attributes.
    pub state: Value,
    /// Whether it is one of `torch.nn`'s modules, by its attributes.
    pub(in super::super) is_module: bool,
}

/// The parts of a module of `torch.nn` that hold tensors, in the order in which a state dict has them.
pub(in super::super) const MODULE_PARTS: [&str; 3] = ["_parameters", "_buffers", "_modules"];

impl List {
    /// A list of these.
    pub(in super::super) fn new(items: Vec<Value>) -> Self {
        let tensors = items.iter().fold(0_usize, |sum, item| sum.saturating_add(item.tensors()));
        Self { items, tensors }
    }

    /// The values.
    pub fn items(&self) -> &[Value] {
        &self.items
    }
}

impl Dict {
    /// A dict of these; of several entries of one key it has the last one's value.
    pub(in super::super) fn new(entries: Vec<(Value, Value)>) -> Self {
        #[derive(PartialEq, Eq, Hash)]
        enum Key {
            Text(Arc<str>),
            Int(i64),
        }
        let mut at: HashMap<Key, usize> = HashMap::with_capacity(entries.len());
        let mut unique: Vec<(Value, Value)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let same = match &key {
                Value::Text(text) => Some(Key::Text(text.clone())),
                Value::Int(int) => Some(Key::Int(*int)),
                _ => None,
            };
            match same.map(|same| *at.entry(same).or_insert(unique.len())) {
                Some(there) if there < unique.len() => unique[there].1 = value,
                _ => unique.push((key, value)),
            }
        }
        let tensors = unique.iter().fold(0_usize, |sum, (_, value)| sum.saturating_add(value.tensors()));
        let is_empty = |value: &Value| value.as_dict().is_some_and(|dict| dict.entries.is_empty());
        let only_tensors = tensors > 0 && unique.iter().all(|(_, value)| value.is_only_tensors() || is_empty(value));
        // Many objects may have it as their attributes.
        let has = |part| unique.iter().any(|(key, value)| key.as_text() == Some(part) && value.as_dict().is_some());
        let of_module = has("_parameters") && has("_modules");
        Self { entries: unique, tensors, only_tensors, of_module }
    }

    /// The keys and their values.
    pub fn entries(&self) -> &[(Value, Value)] {
        &self.entries
    }

    /// The value of a key that is a text.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.entries.iter().find(|(key, _)| key.as_text() == Some(name)).map(|(_, value)| value)
    }
}

impl Object {
    /// An object as a file describes it; a state that is a dict, or one beside None, is its attributes.
    #[cfg(feature = "torch")]
    pub(in super::super) fn new(
        class: Arc<str>,
        args: Arc<List>,
        state: Value,
        elements: Arc<List>,
        items: Arc<Dict>,
    ) -> Self {
        let (attributes, state) = match state {
            Value::Dict(attributes) => (attributes, Value::None),
            // What has slots has a pair as its state.
            Value::List(pair) => match pair.items.as_slice() {
                [Value::Dict(attributes), rest] => (attributes.clone(), rest.clone()),
                [Value::None, Value::Dict(attributes)] => (attributes.clone(), Value::None),
                _ => (Arc::default(), Value::List(pair)),
            },
            state => (Arc::default(), state),
        };
        let is_module = attributes.of_module;
        Self { class, args, attributes, elements, items, state, is_module }
    }
}

impl Value {
    /// A list of these.
    pub(in super::super) fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(List::new(items)))
    }

    /// A dict of these.
    pub(in super::super) fn dict(entries: Vec<(Self, Self)>) -> Self {
        Self::Dict(Arc::new(Dict::new(entries)))
    }

    /// A text.
    pub(in super::super) fn text(text: &str) -> Self {
        Self::Text(text.into())
    }

    /// The value of a dict's key, an object's attribute, or an item of a dict that is an object.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Dict(dict) => dict.get(name),
            Self::Object(object) => object.attributes.get(name).or_else(|| object.items.get(name)),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if it is one.
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The dict, if it is one.
    pub fn as_dict(&self) -> Option<&Dict> {
        match self {
            Self::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// How many tensors it holds, each counted at every place where it stands; beyond what can be counted, the largest
    /// number.
    pub fn tensors(&self) -> usize {
        match self {
            Self::Tensor(_) => 1,
            Self::List(list) => list.tensors,
            Self::Dict(dict) => dict.tensors,
            Self::Object(object) => [object.args.tensors, object.elements.tensors, object.items.tensors]
                .into_iter()
                .fold(object.attributes.tensors.saturating_add(object.state.tensors()), usize::saturating_add),
            _ => 0,
        }
    }

    /// Whether it is a tensor, or a dict of such values only, or a module.
    pub(in super::super) fn is_only_tensors(&self) -> bool {
        match self {
            Self::Tensor(_) => true,
            Self::Dict(dict) => dict.only_tensors,
            Self::Object(object) => object.is_module && self.tensors() > 0,
            _ => false,
        }
    }

    /// A key as a user writes it, if it is a text or a whole number.
    pub(in super::super) fn key_text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            Self::Int(int) => Some(int.to_string()),
            _ => None,
        }
    }
}
