//! From what a pickle has made to a tree of values, which is never nested deeply and never holds itself.

use super::{
    super::{
        limits::{Budget, MOST_DEPTH},
        tensor::{Storage, Tensor, strides_of},
        value::{Dict, List, MODULE_PARTS, Object, Value},
    },
    arena::{Arena, Array, Inert, Item, Node, View},
    reader::broken,
};
use crate::{Error, Result};
use std::sync::Arc;

/// The value that an item of the arena is.
pub(super) fn value(arena: &Arena, storages: &[Storage], root: Item, budget: &mut Budget) -> Result<Value> {
    let done = vec![State::New; arena.len()];
    Conversion { arena, storages, budget, done, path: Vec::new() }.value(root).map(|(value, _)| value)
}

/// Where a value stands in another.
#[derive(Clone, Copy)]
enum Step {
    Key(Item),
    Index(usize),
    /// A key, or a part of an object.
    Part,
}

/// How far a node is.
#[derive(Clone)]
enum State {
    New,
    Open,
    /// Its value, and how deeply that is nested.
    Done(Value, usize),
}

struct Conversion<'a> {
    arena: &'a Arena,
    storages: &'a [Storage],
    budget: &'a mut Budget,
    done: Vec<State>,
    path: Vec<Step>,
}

impl Conversion<'_> {
    /// An item's value, and how deeply it is nested. Each node is converted once.
    fn value(&mut self, item: Item) -> Result<(Value, usize)> {
        let index = match item {
            Item::None => return Ok((Value::None, 0)),
            Item::Bool(value) => return Ok((Value::Bool(value), 0)),
            Item::Int(value) => return Ok((Value::Int(value), 0)),
            Item::Float(value) => return Ok((Value::Float(value), 0)),
            Item::Node(index) => index,
        };
        match &self.done[index] {
            State::Done(value, depth) => return Ok((value.clone(), *depth)),
            State::Open => return Ok((Value::Cycle, 0)),
            State::New => self.done[index] = State::Open,
        }
        let (value, depth) = self.node(index)?;
        // What was made elsewhere may be nested more deeply than the way to it.
        if depth > MOST_DEPTH {
            return Err(self.too_deep());
        }
        self.done[index] = State::Done(value.clone(), depth);
        Ok((value, depth))
    }

    fn node(&mut self, index: usize) -> Result<(Value, usize)> {
        let arena = self.arena;
        Ok(match arena.at(index) {
            Node::Text(text) => (Value::Text(text.clone()), 0),
            Node::Bytes(bytes) => (Value::Bytes(bytes.clone()), 0),
            Node::Global(global) => (Value::Name(global.full()), 0),
            Node::Numbers(dtype, _) => (Value::text(dtype.name()), 0),
            Node::Storage(_) => (Value::Name("torch.Storage".into()), 0),
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => {
                let (list, depth) = self.list(items)?;
                (Value::List(list), depth)
            }
            Node::Dict(entries) => {
                let (dict, depth) = self.dict(entries)?;
                (Value::Dict(dict), depth)
            }
            Node::Object(object) => self.object(object)?,
            Node::Array(array) => (Value::Tensor(Arc::new(self.array(array)?)), 0),
            Node::View(view) => (Value::Tensor(Arc::new(self.view(view)?)), 0),
        })
    }

    /// What stands at a place in the value that is being converted.
    fn inner(&mut self, step: Step, item: Item, depth: &mut usize) -> Result<Value> {
        if self.path.len() == MOST_DEPTH {
            return Err(self.too_deep());
        }
        self.path.push(step);
        let (value, inner) = self.value(item)?;
        self.path.pop();
        *depth = (*depth).max(inner + 1);
        Ok(value)
    }

    fn list(&mut self, items: &[Item]) -> Result<(Arc<List>, usize)> {
        let mut depth = 0;
        let values = items.iter().enumerate().map(|(at, item)| self.inner(Step::Index(at), *item, &mut depth));
        let values = values.collect::<Result<_>>()?;
        Ok((Arc::new(List::new(values)), depth))
    }

    fn dict(&mut self, entries: &[(Item, Item)]) -> Result<(Arc<Dict>, usize)> {
        let mut depth = 0;
        let mut values = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            let name = self.inner(Step::Part, *key, &mut depth)?;
            // Finding equal ones takes a look at all of it.
            self.budget.claim(name.as_text().map_or(0, str::len), "a key")?;
            values.push((name, self.inner(Step::Key(*key), *value, &mut depth)?));
        }
        Ok((Arc::new(Dict::new(values)), depth))
    }

    fn object(&mut self, object: &Inert) -> Result<(Value, usize)> {
        let mut deepest = 0;
        let state = self.inner(Step::Part, object.state, &mut deepest)?;
        let args = match self.inner(Step::Part, object.args, &mut deepest)? {
            Value::List(list) => list,
            _ => Arc::default(),
        };
        let (elements, depth) = self.list(&object.elements)?;
        deepest = deepest.max(depth + 1);
        let (items, depth) = self.dict(&object.items)?;
        deepest = deepest.max(depth + 1);
        let object = Object::new(object.class.clone(), args, state, elements, items);
        Ok((Value::Object(Arc::new(object)), deepest))
    }

    fn array(&mut self, array: &Array) -> Result<Tensor> {
        let shape = self.sizes(array.shape, "sizes")?;
        let strides = strides_of(&shape, array.in_columns);
        let storage = Storage { bytes: array.data.clone(), dtype: array.dtype, order: array.order };
        self.tensor(storage, 0, shape, strides)
    }

    fn view(&mut self, view: &View) -> Result<Tensor> {
        let offset = match view.offset {
            Item::Int(offset) => usize::try_from(offset).ok(),
            _ => None,
        };
        let offset = offset.ok_or_else(|| Error::invalid(self.name(), "the place of its first number", "none"))?;
        let (shape, strides) = (self.sizes(view.shape, "sizes")?, self.sizes(view.strides, "strides")?);
        let storage = self.storages.get(view.storage).cloned();
        let mut storage = storage.ok_or_else(|| Error::invalid(self.name(), "no tensor", "one"))?;
        storage.dtype = view.dtype.unwrap_or(storage.dtype);
        self.tensor(storage, offset, shape, strides)
    }

    fn tensor(&mut self, storage: Storage, offset: usize, shape: Vec<usize>, strides: Vec<usize>) -> Result<Tensor> {
        let tensor = Tensor::new(storage, offset, shape, strides)
            .map_err(|(expected, found)| Error::invalid(self.name(), expected, found))?;
        // Names are made for errors only.
        if self.budget.claim(tensor.byte_len(), "").is_err() {
            self.budget.claim(tensor.byte_len(), &self.name())?;
        }
        Ok(tensor)
    }

    fn sizes(&self, item: Item, what: &str) -> Result<Vec<usize>> {
        let size = |item: &Item| match item {
            Item::Int(size) => usize::try_from(*size).map_err(|_| size.to_string()),
            _ => Err("something else".into()),
        };
        let items = self.arena.items(item).ok_or("something else".to_owned());
        // More of them than there may be dimensions are refused later.
        let sizes = items.and_then(|items| items.iter().take(64).map(size).collect());
        sizes.map_err(|found| Error::invalid(self.name(), format!("{what} that are whole numbers from 0 up"), found))
    }

    fn too_deep(&self) -> Error {
        broken(format_args!("its values are nested more than {MOST_DEPTH} deep"))
    }

    /// The place of what is being converted, as a name: what holds a module's parts is left out.
    fn name(&self) -> String {
        let text = |item: Item| match item {
            Item::Int(number) => number.to_string(),
            other => self.arena.text(other).map_or_else(|| "?".to_owned(), |text| text.to_string()),
        };
        let parts = self.path.iter().filter_map(|step| match step {
            Step::Key(key) => Some(text(*key)),
            Step::Index(at) => Some(at.to_string()),
            Step::Part => None,
        });
        let parts: Vec<String> = parts.filter(|part| !MODULE_PARTS.contains(&part.as_str())).collect();
        if parts.is_empty() { "its tensor".into() } else { parts.join(".") }
    }
}
