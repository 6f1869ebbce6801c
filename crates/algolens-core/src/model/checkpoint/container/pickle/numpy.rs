//! NumPy's arrays, numbers and types in pickles.

use super::{
    super::{
        bytes::Bytes,
        npy,
        tensor::{Dtype, Order, Storage, Tensor},
    },
    arena::{Arena, Array, Item, Node},
};
use crate::Result;

/// The class of arrays.
const ARRAY: &str = "numpy.ndarray";

/// What a function of NumPy makes of these arguments; none if it is not known.
pub(super) fn call(arena: &mut Arena, module: &str, name: &str, given: &[Item]) -> Result<Option<Item>> {
    let in_core = |of: &str| module.strip_prefix("numpy._core.").or(module.strip_prefix("numpy.core.")) == Some(of);
    match (name, given) {
        ("dtype", [name, ..]) if module == "numpy" => match arena.text(*name).and_then(|name| npy::dtype(name)) {
            Some((dtype, order)) => arena.add(Node::Numbers(dtype, order)).map(Some),
            None => Ok(None),
        },
        // The array comes with its state.
        ("_reconstruct", _) if in_core("multiarray") => arena.inert(ARRAY.into(), Item::None).map(Some),
        ("scalar", [dtype, bytes]) if in_core("multiarray") => {
            let Some((dtype, order)) = numbers(arena, *dtype) else { return Ok(None) };
            let number = arena.bytes(*bytes).cloned().and_then(|bytes| number(bytes, dtype, order));
            match number {
                Some(Number::Item(item)) => Ok(Some(item)),
                Some(Number::Long(bytes)) => arena.add(Node::Bytes(bytes)).map(Some),
                None => Ok(None),
            }
        }
        ("_frombuffer", [buffer, dtype, shape, order]) if in_core("numeric") => {
            let (Some((dtype, byte_order)), Some(data)) = (numbers(arena, *dtype), arena.bytes(*buffer).cloned())
            else {
                return Ok(None);
            };
            let in_columns = arena.text(*order).is_some_and(|order| &**order == "F");
            let array = Array { dtype, order: byte_order, shape: *shape, in_columns, data };
            arena.add(Node::Array(Box::new(array))).map(Some)
        }
        _ => Ok(None),
    }
}

/// What a type or an array becomes by its state; none if that is something else, or not one of numbers.
pub(super) fn build(arena: &Arena, target: Item, state: Item) -> Option<Node> {
    let state = arena.items(state)?;
    match arena.node(target)? {
        Node::Numbers(dtype, order) => {
            let order = match arena.text(*state.get(1)?).map(|order| &**order) {
                Some(">") => Order::Big,
                Some("<") => Order::Little,
                _ => *order,
            };
            Some(Node::Numbers(*dtype, order))
        }
        Node::Object(object) if &*object.class == ARRAY => {
            let [_, shape, dtype, in_columns, data] = state else { return None };
            let (dtype, order) = numbers(arena, *dtype)?;
            let in_columns = matches!(in_columns, Item::Bool(true) | Item::Int(1));
            let array = Array { dtype, order, shape: *shape, in_columns, data: arena.bytes(*data)?.clone() };
            Some(Node::Array(Box::new(array)))
        }
        _ => None,
    }
}

fn numbers(arena: &Arena, dtype: Item) -> Option<(Dtype, Order)> {
    match arena.node(dtype)? {
        Node::Numbers(dtype, order) => Some((*dtype, *order)),
        _ => None,
    }
}

/// A number as it is kept.
enum Number {
    Item(Item),
    /// Too large for 64 bits with a sign.
    Long(Bytes),
}

/// The number in these bytes; none where they are not as many as it takes.
fn number(bytes: Bytes, dtype: Dtype, order: Order) -> Option<Number> {
    if bytes.len() != dtype.size() {
        return None;
    }
    let scalar = Tensor::dense(Storage { bytes, dtype, order }, Vec::new()).ok()?;
    if let Some(floats) = scalar.floats::<f64>() {
        return Some(Number::Item(Item::Float(*floats.first()?)));
    }
    if let Some(bools) = scalar.bools() {
        return Some(Number::Item(Item::Bool(*bools.first()?)));
    }
    let integer = *scalar.integers()?.first()?;
    Some(match i64::try_from(integer) {
        Ok(small) => Number::Item(Item::Int(small)),
        Err(_) => Number::Long(integer.to_le_bytes().to_vec().into()),
    })
}
