//! Pickles, read without executing anything.
//!
//! A pickle is a program for a stack machine that names classes and functions, and calls them. [`machine`] runs it on
//! values that are inert ([`arena`]): a call of one of the few functions that describe tensors, arrays and plain values
//! ([`call`]) becomes what it describes, every other one an object with a name and arguments. Where a tensor's bytes are is
//! the container's to say ([`Source`]); then all of it becomes a tree of values ([`convert`]). Work and memory are in
//! proportion to the pickle's length.

mod arena;
mod call;
mod convert;
mod machine;
mod numpy;
mod reader;

pub(super) use arena::Source;
pub(super) use reader::broken;

use super::{bytes::Bytes, limits::Budget, tensor::Storage, value::Value};
use crate::Result;
use arena::{Arena, Item, Node};

/// What a pickle has made, before its storages have bytes.
pub(super) struct Pickle {
    arena: Arena,
    root: Item,
    /// How many bytes it took.
    pub length: usize,
}

impl Pickle {
    /// Runs the pickle at the start of `bytes`.
    pub fn run(bytes: &Bytes, budget: &mut Budget) -> Result<Self> {
        let (arena, root, length) = machine::run(bytes, budget)?;
        Ok(Self { arena, root, length })
    }

    /// The storages that it names.
    pub fn sources(&self) -> &[Source] {
        &self.arena.sources
    }

    /// The number of the storage that it is, if it is one.
    pub fn as_storage(&self) -> Option<usize> {
        match self.arena.node(self.root)? {
            Node::Storage(storage) => Some(*storage),
            _ => None,
        }
    }

    /// Its value, with a storage for each of its sources.
    pub fn value(&self, storages: &[Storage], budget: &mut Budget) -> Result<Value> {
        convert::value(&self.arena, storages, self.root, budget)
    }
}
