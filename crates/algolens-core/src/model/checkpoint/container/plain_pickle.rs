//! Pickles that are a file of their own (`pickle.dump`).

use super::{
    bytes::Bytes,
    limits::Budget,
    pickle::{Pickle, Source, broken},
    stream,
    value::Value,
};
use crate::Result;

/// The value of a file.
pub(super) fn read(bytes: &Bytes, budget: &mut Budget) -> Result<Value> {
    let pickle = Pickle::run(bytes, budget)?;
    if pickle.length < bytes.len() {
        let more = bytes.len() - pickle.length;
        return Err(broken(format_args!("{more} bytes come after its end: expected one pickle")));
    }
    let storages = pickle.sources().iter().map(|source| match source {
        Source::Saved(saved) => stream::storage(saved, budget),
        Source::Keyed { key, .. } => {
            Err(broken(format_args!("it has no storage {key}: torch.save keeps them beside it")))
        }
    });
    let storages: Vec<_> = storages.collect::<Result<_>>()?;
    pickle.value(&storages, budget)
}
