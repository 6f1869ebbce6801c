//! What the classes and functions of a pickle stand for. The few that describe plain values and tensors are known by name;
//! all others become inert objects. None is ever called.

use super::{
    super::{
        bytes::Bytes,
        limits::{Budget, LONGEST_NAME},
        tensor::Dtype,
    },
    arena::{Arena, Item, Node, Source, View},
    numpy,
    reader::broken,
};
use crate::{Error, Result};

/// What a class or function makes of these arguments.
pub(super) fn call(arena: &mut Arena, budget: &mut Budget, callee: Item, args: Item) -> Result<Item> {
    let Some(Node::Tuple(given)) = arena.node(args) else {
        return Err(broken("it calls something with what are no arguments"));
    };
    /// More than any that is known looks at.
    const FIRST: usize = 8;
    let given: Vec<Item> = given.iter().take(FIRST).copied().collect();
    let Some(global) = arena.global(callee).cloned() else {
        return match arena.node(callee) {
            Some(Node::Object(object)) => {
                let class = format!("a call of {}", object.class);
                budget.claim(class.len(), "a name")?;
                arena.inert(class.into(), args)
            }
            _ => Err(broken("it calls what is neither a class nor a function")),
        };
    };
    let made = match (module_of(global.module()), global.name()) {
        ("collections", "OrderedDict" | "Counter") | ("builtins", "dict") => dict(arena, budget, given.first())?,
        // The first argument is what makes values that are missing.
        ("collections", "defaultdict") => dict(arena, budget, given.get(1))?,
        ("builtins", "set" | "frozenset" | "list" | "tuple") | ("torch", "Size") => match given.first() {
            Some(items) => arena.items(*items).is_some().then_some(*items),
            None => Some(arena.add(Node::List(Vec::new()))?),
        },
        ("_codecs", "encode") | ("builtins", "bytes" | "bytearray") => bytes(arena, budget, &given)?,
        ("pathlib" | "pathlib._local", _) => join(arena, budget, args, "/")?,
        ("torch", "device") => join(arena, budget, args, ":")?,
        ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Some(view(arena, &given, None)?),
        ("torch._utils", "_rebuild_tensor_v3") => {
            let dtype = given.get(6).and_then(|dtype| torch_dtype(arena, *dtype));
            Some(view(arena, &given, Some(dtype.ok_or_else(|| broken("it has a tensor of an unknown type"))?))?)
        }
        (
            "torch._utils",
            "_rebuild_parameter" | "_rebuild_parameter_with_state" | "_rebuild_device_tensor_from_numpy",
        )
        | ("torch.nn.parameter", "Parameter" | "Buffer") => given.first().copied(),
        ("torch._tensor", "_rebuild_from_type_v2") => rebuilt(arena, budget, &given)?,
        ("torch.storage", "_load_from_bytes") => match given.first().and_then(|saved| arena.bytes(*saved)).cloned() {
            Some(saved) => {
                let storage = arena.storage(Source::Saved(saved));
                Some(arena.add(Node::Storage(storage))?)
            }
            None => return Err(broken("it has a storage that is no bytes")),
        },
        ("copyreg", "_reconstructor" | "__newobj__") => match given.first().and_then(|class| arena.global(*class)) {
            Some(class) => {
                let class = class.full();
                Some(arena.inert(class, args)?)
            }
            None => None,
        },
        (module, name) if module.starts_with("numpy") => numpy::call(arena, module, name, &given)?,
        _ => None,
    };
    match made {
        Some(item) => Ok(item),
        None => arena.inert(global.full(), args),
    }
}

/// The module by its name in Python 3.
fn module_of(name: &str) -> &str {
    match name {
        "__builtin__" => "builtins",
        "copy_reg" => "copyreg",
        other => other,
    }
}

/// A dict of pairs, of another dict, or of nothing; none if it is called with something else.
fn dict(arena: &mut Arena, budget: &mut Budget, of: Option<&Item>) -> Result<Option<Item>> {
    let entries = match of.map(|of| (arena.node(*of), arena.items(*of))) {
        None => Vec::new(),
        Some((Some(Node::Dict(entries)), _)) => {
            budget.claim(size_of_val(entries.as_slice()), "a copied dict")?;
            entries.clone()
        }
        Some((_, Some(pairs))) => {
            budget.claim(2 * size_of_val(pairs), "a copied list")?;
            let pair = |item: &Item| match arena.items(*item) {
                Some([key, value]) => Some((*key, *value)),
                _ => None,
            };
            match pairs.iter().map(pair).collect() {
                Some(entries) => entries,
                None => return Ok(None),
            }
        }
        Some(_) => return Ok(None),
    };
    arena.add(Node::Dict(entries)).map(Some)
}

/// Bytes, as protocol 2 writes them: a text of the characters 0 to 255.
fn bytes(arena: &mut Arena, budget: &mut Budget, given: &[Item]) -> Result<Option<Item>> {
    let Some(first) = given.first() else { return arena.add(Node::Bytes(Bytes::from(Vec::new()))).map(Some) };
    if arena.bytes(*first).is_some() {
        return Ok(Some(*first));
    }
    let latin = given.get(1).is_none_or(|encoding| {
        let name = arena.text(*encoding).filter(|name| name.len() <= LONGEST_NAME);
        let name = name.map(|name| name.to_lowercase().replace(['-', '_'], ""));
        matches!(name.as_deref(), Some("latin1" | "iso88591"))
    });
    let Some(text) = arena.text(*first).filter(|_| latin) else { return Ok(None) };
    budget.claim(text.len(), "a copied text")?;
    let bytes: std::result::Result<Vec<u8>, _> = text.chars().map(|c| u8::try_from(u32::from(c))).collect();
    let bytes = bytes.map_err(|_| broken("its bytes are no bytes: it is damaged"))?;
    arena.add(Node::Bytes(bytes.into())).map(Some)
}

/// Texts and whole numbers as one text.
fn join(arena: &mut Arena, budget: &mut Budget, args: Item, between: &str) -> Result<Option<Item>> {
    let mut joined = String::new();
    for part in arena.items(args).unwrap_or_default() {
        let number = if let Item::Int(number) = part { number.to_string() } else { String::new() };
        let Some(part) = arena.text(*part).map(|text| &**text).or((!number.is_empty()).then_some(number.as_str()))
        else {
            return Ok(None);
        };
        budget.claim(part.len() + 1, "a path")?;
        // An absolute path begins with the separator itself.
        if !joined.is_empty() && !joined.ends_with(between) {
            joined += between;
        }
        joined += part;
    }
    arena.add(Node::Text(joined.into())).map(Some)
}

/// A tensor: a storage, the place of its first number, its sizes and strides.
fn view(arena: &mut Arena, given: &[Item], dtype: Option<Dtype>) -> Result<Item> {
    let [storage, offset, shape, strides, ..] = given else {
        return Err(broken("a tensor in it has no storage, sizes and strides"));
    };
    let Some(Node::Storage(storage)) = arena.node(*storage) else {
        return Err(broken("a tensor in it is a view of something that is no storage"));
    };
    let view = View { storage: *storage, offset: *offset, shape: *shape, strides: *strides, dtype };
    arena.add(Node::View(Box::new(view)))
}

/// What a function makes of arguments that stand in a call for a class derived from tensors.
fn rebuilt(arena: &mut Arena, budget: &mut Budget, given: &[Item]) -> Result<Option<Item>> {
    let [function, _, args, ..] = given else { return Ok(None) };
    match arena.global(*function) {
        // Once is enough: it never makes such a call itself.
        Some(global) if global.name() != "_rebuild_from_type_v2" => call(arena, budget, *function, *args).map(Some),
        _ => Ok(None),
    }
}

/// PyTorch's type of numbers that a global is.
fn torch_dtype(arena: &Arena, item: Item) -> Option<Dtype> {
    let global = arena.global(item)?;
    if global.module() != "torch" {
        return None;
    }
    Dtype::named(global.name()).or_else(|| global.name().starts_with("float8_").then_some(Dtype::Float8))
}

/// The type of a storage class; None where it is bytes of any type.
fn storage_dtype(name: &str) -> Option<Dtype> {
    Some(match name.strip_suffix("Storage")? {
        "Float" => Dtype::Float32,
        "Double" => Dtype::Float64,
        "Half" => Dtype::Float16,
        "BFloat16" => Dtype::BFloat16,
        "Bool" => Dtype::Bool,
        "Byte" | "Untyped" | "_Untyped" => Dtype::UInt8,
        "Char" => Dtype::Int8,
        "Short" => Dtype::Int16,
        "Int" => Dtype::Int32,
        "Long" => Dtype::Int64,
        "ComplexFloat" => Dtype::Complex64,
        "ComplexDouble" => Dtype::Complex128,
        _ => return None,
    })
}

/// What a persistent id stands for: a storage, or (before PyTorch 1.0) a class beside its source.
pub(super) fn persistent(arena: &mut Arena, id: Item) -> Result<Item> {
    let parts: Vec<Item> = arena.items(id).unwrap_or_default().iter().take(6).copied().collect();
    let kind = parts.first().and_then(|kind| arena.text(*kind)).cloned();
    match (kind.as_deref(), parts.as_slice()) {
        (Some("storage"), [_, class, key, _, numbers, view @ ..]) => {
            let class = arena.global(*class).ok_or_else(|| unknown_storage("no class"))?;
            let dtype = storage_dtype(class.name()).ok_or_else(|| unknown_storage(class.name()))?;
            let key = arena.text(*key).filter(|key| key.len() <= LONGEST_NAME).cloned();
            let key = key.ok_or_else(|| unknown_storage("no key"))?;
            let Item::Int(numbers) = numbers else { return Err(unknown_storage("no size")) };
            let numbers = usize::try_from(*numbers).map_err(|_| unknown_storage("a negative size"))?;
            if !matches!(view, [] | [Item::None]) {
                return Err(broken("a storage in it is a part of another, as PyTorch wrote before 0.4; save it again"));
            }
            let storage = arena.storage(Source::Keyed { key, dtype, numbers });
            arena.add(Node::Storage(storage))
        }
        (Some("module"), [_, class, ..]) => Ok(*class),
        _ => Err(broken("it refers to something outside that is no storage of PyTorch")),
    }
}

fn unknown_storage(found: &str) -> Error {
    broken(format_args!("a storage of PyTorch in it: expected its type, key and size, found {found}"))
}

/// Gives a value its state.
pub(super) fn build(arena: &mut Arena, target: Item, state: Item) {
    if let Some(built) = numpy::build(arena, target, state) {
        if let Some(node) = arena.node_mut(target) {
            *node = built;
        }
        return;
    }
    // What else has a state beside its values (a dict's `_metadata`) is read without it.
    if let Some(Node::Object(object)) = arena.node_mut(target) {
        object.state = state;
    }
}
