//! What a pickle has made, as it is made: values that refer to each other by number, so that they may be shared, changed
//! and hold themselves.

use super::{
    super::{
        bytes::Bytes,
        limits::MOST_OBJECTS,
        tensor::{Dtype, Order},
    },
    reader::broken,
};
use crate::Result;
use std::{collections::HashMap, sync::Arc};

/// A value on the stack, in a list, or in the memo.
#[derive(Clone, Copy, Debug)]
pub(super) enum Item {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// One of the arena.
    Node(usize),
}

/// What is more than a number.
#[derive(Debug)]
pub(super) enum Node {
    Text(Arc<str>),
    Bytes(Bytes),
    List(Vec<Item>),
    Tuple(Vec<Item>),
    Set(Vec<Item>),
    Dict(Vec<(Item, Item)>),
    Global(Global),
    Object(Box<Inert>),
    /// NumPy's type of numbers.
    Numbers(Dtype, Order),
    Array(Box<Array>),
    Storage(usize),
    View(Box<View>),
}

/// A class or function, by its name.
#[derive(Clone, Debug)]
pub(super) struct Global {
    full: Arc<str>,
    /// The length of the module's name.
    module: usize,
}

/// An object that is not built.
#[derive(Debug)]
pub(super) struct Inert {
    pub class: Arc<str>,
    /// A tuple, or none.
    pub args: Item,
    pub state: Item,
    pub elements: Vec<Item>,
    pub items: Vec<(Item, Item)>,
}

/// A NumPy array.
#[derive(Debug)]
pub(super) struct Array {
    pub dtype: Dtype,
    pub order: Order,
    pub shape: Item,
    pub in_columns: bool,
    pub data: Bytes,
}

/// A PyTorch tensor, as a view of a storage.
#[derive(Debug)]
pub(super) struct View {
    pub storage: usize,
    pub offset: Item,
    pub shape: Item,
    pub strides: Item,
    /// The type of its numbers, where the storage has none.
    pub dtype: Option<Dtype>,
}

/// Where the bytes of a storage are.
#[derive(Clone, Debug)]
pub(in super::super) enum Source {
    /// In the file, under a key.
    Keyed {
        /// The key.
        key: Arc<str>,
        /// The type of its numbers.
        dtype: Dtype,
        /// How many there are.
        numbers: usize,
    },
    /// In a stream of their own, which is a value of the pickle.
    Saved(Bytes),
}

/// The values of a pickle that are more than numbers, and the storages that it names.
#[derive(Debug, Default)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    pub sources: Vec<Source>,
    keyed: HashMap<(Arc<str>, Dtype, usize), usize>,
    saved: HashMap<usize, usize>,
}

impl Arena {
    /// Adds a value.
    pub fn add(&mut self, node: Node) -> Result<Item> {
        if self.nodes.len() == MOST_OBJECTS {
            return Err(broken(format_args!("it makes more than {MOST_OBJECTS} objects")));
        }
        self.nodes.push(node);
        Ok(Item::Node(self.nodes.len() - 1))
    }

    /// An object that is not built.
    pub fn inert(&mut self, class: Arc<str>, args: Item) -> Result<Item> {
        let inert = Inert { class, args, state: Item::None, elements: Vec::new(), items: Vec::new() };
        self.add(Node::Object(Box::new(inert)))
    }

    /// The number of a storage, which is the same for the same bytes.
    pub fn storage(&mut self, source: Source) -> usize {
        let next = self.sources.len();
        let known = match &source {
            Source::Keyed { key, dtype, numbers } => *self.keyed.entry((key.clone(), *dtype, *numbers)).or_insert(next),
            // Bytes of a pickle never overlap: where they begin tells them apart.
            Source::Saved(bytes) => *self.saved.entry(bytes.as_ptr().addr()).or_insert(next),
        };
        if known == next {
            self.sources.push(source);
        }
        known
    }

    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn at(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The value, if it is more than a number.
    pub fn node(&self, item: Item) -> Option<&Node> {
        match item {
            Item::Node(index) => Some(&self.nodes[index]),
            _ => None,
        }
    }

    pub fn node_mut(&mut self, item: Item) -> Option<&mut Node> {
        match item {
            Item::Node(index) => Some(&mut self.nodes[index]),
            _ => None,
        }
    }

    pub fn text(&self, item: Item) -> Option<&Arc<str>> {
        match self.node(item)? {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn bytes(&self, item: Item) -> Option<&Bytes> {
        match self.node(item)? {
            Node::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn global(&self, item: Item) -> Option<&Global> {
        match self.node(item)? {
            Node::Global(global) => Some(global),
            _ => None,
        }
    }

    /// What a list, tuple or set holds.
    pub fn items(&self, item: Item) -> Option<&[Item]> {
        match self.node(item)? {
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => Some(items),
            _ => None,
        }
    }
}

impl Global {
    pub fn new(module: &str, name: &str) -> Self {
        Self { full: format!("{module}.{name}").into(), module: module.len() }
    }

    pub fn module(&self) -> &str {
        &self.full[..self.module]
    }

    pub fn name(&self) -> &str {
        &self.full[self.module + 1..]
    }

    /// The name with its module.
    pub fn full(&self) -> Arc<str> {
        self.full.clone()
    }
}
