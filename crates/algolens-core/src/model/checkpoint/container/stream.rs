//! Streams as `torch.save` wrote them before PyTorch 1.6, and as pickled tensors still have them: five pickles, then the
//! storages.

use super::{
    bytes::Bytes,
    limits::Budget,
    pickle::{Pickle, Source, broken},
    tensor::{Dtype, Order, Storage},
    value::Value,
};
use crate::Result;
use std::collections::HashMap;

/// PyTorch's magic number, the first pickle, after the bytes that say its protocol.
const MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";
/// The version of the format.
const VERSION: i64 = 1001;

/// Where the first pickle of a stream ends; none if that is not the magic number.
fn after_magic(bytes: &[u8]) -> Option<usize> {
    // Protocol 4 has a frame's length before it.
    [2, 11]
        .map(|at| at + MAGIC.len())
        .into_iter()
        .find(|end| bytes.get(..*end).is_some_and(|start| start.ends_with(MAGIC)))
}

/// Whether bytes begin as a stream does.
pub(super) fn recognizes(bytes: &[u8]) -> bool {
    bytes.first() == Some(&0x80) && after_magic(bytes).is_some()
}

/// The values of a stream.
pub(super) fn read(bytes: &Bytes, budget: &mut Budget) -> Result<Value> {
    let (pickle, storages) = parts(bytes, budget)?;
    pickle.value(&storages, budget)
}

/// The storage that a stream of its own holds.
pub(super) fn storage(bytes: &Bytes, budget: &mut Budget) -> Result<Storage> {
    budget.claim(bytes.len(), "a storage")?;
    let (pickle, storages) = parts(bytes, budget)?;
    let storage = pickle.as_storage().and_then(|number| storages.get(number));
    storage.cloned().ok_or_else(|| broken("a storage in it is something else"))
}

/// The pickle of the values, and the storages that it names.
fn parts(bytes: &Bytes, budget: &mut Budget) -> Result<(Pickle, Vec<Storage>)> {
    let at = after_magic(bytes).ok_or_else(|| broken("it does not begin as a stream of PyTorch"))?;
    let mut rest = Rest { bytes, at };
    let version = rest.pickle(budget)?.value(&[], budget)?;
    if version.as_int() != Some(VERSION) {
        return Err(broken(format_args!("a stream of PyTorch: expected version {VERSION}, found another")));
    }
    let system = rest.pickle(budget)?.value(&[], budget)?;
    let little = system.get("little_endian").and_then(Value::as_bool).unwrap_or(true);
    let order = if little { Order::Little } else { Order::Big };
    let pickle = rest.pickle(budget)?;
    let keys = rest.pickle(budget)?.value(&[], budget)?;
    let Value::List(keys) = keys else { return Err(broken("a stream of PyTorch without a list of its storages")) };
    // What a storage is is said where it is used.
    let mut dtypes: HashMap<&str, (Dtype, usize)> = HashMap::new();
    for source in pickle.sources() {
        match source {
            Source::Keyed { key, dtype, numbers } => {
                if dtypes.insert(key, (*dtype, *numbers)).is_some() {
                    return Err(broken(format_args!("the storage {key} has two types or sizes")));
                }
            }
            Source::Saved(_) => return Err(broken("a stream of PyTorch holds another")),
        }
    }
    let mut found: HashMap<&str, Bytes> = HashMap::new();
    for key in keys.items() {
        let key = key.as_text().unwrap_or_default();
        let (dtype, numbers) =
            *dtypes.get(key).ok_or_else(|| broken(format_args!("nothing says what the storage {key} is")))?;
        let stated = rest.number()?;
        if stated != Some(numbers) {
            let expected = format_args!("the storage {key}: expected {numbers} numbers, found another");
            return Err(broken(expected));
        }
        let length = numbers.checked_mul(dtype.size());
        let part = length.and_then(|length| rest.take(length));
        found.insert(key, part.ok_or_else(|| broken(format_args!("it is truncated: it ends in the storage {key}")))?);
    }
    let storages = pickle.sources().iter().map(|source| match source {
        Source::Keyed { key, dtype, .. } => {
            let bytes = found.get(&**key).ok_or_else(|| broken(format_args!("it has no storage {key}")))?;
            Ok(Storage { bytes: bytes.clone(), dtype: *dtype, order })
        }
        Source::Saved(_) => Err(broken("a stream of PyTorch holds another")),
    });
    let storages = storages.collect::<Result<_>>()?;
    Ok((pickle, storages))
}

/// What of a stream was not read yet.
struct Rest<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Rest<'_> {
    fn pickle(&mut self, budget: &mut Budget) -> Result<Pickle> {
        let rest = self.bytes.part(self.at..self.bytes.len()).ok_or_else(|| broken("it is truncated"))?;
        let pickle = Pickle::run(&rest, budget)?;
        self.at += pickle.length;
        if let Some(Source::Saved(_)) = pickle.sources().first() {
            return Err(broken("a stream of PyTorch holds another"));
        }
        Ok(pickle)
    }

    fn take(&mut self, length: usize) -> Option<Bytes> {
        let part = self.bytes.part(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(part)
    }

    /// A number of 64 bits, if it is one that counts something.
    fn number(&mut self) -> Result<Option<usize>> {
        let bytes = self.take(8).ok_or_else(|| broken("it is truncated: it ends before its storages"))?;
        let number = bytes.first_chunk().map(|bytes| i64::from_le_bytes(*bytes));
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    }
}
