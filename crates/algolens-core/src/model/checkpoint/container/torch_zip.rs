//! Zip archives as `torch.save` writes them since PyTorch 1.6: a pickle, and a file for every storage.

use super::{
    archive::{Archive, broken},
    limits::Budget,
    pickle::{Pickle, Source},
    stream,
    tensor::{Order, Storage},
    value::Value,
};
use crate::{Error, Result};

/// The folder with the pickle in an archive that PyTorch wrote; its name may be any.
pub(super) fn folder(archive: &Archive) -> Option<String> {
    let pickle = archive.names().iter().find_map(|name| name.strip_suffix("data.pkl"))?;
    (pickle.is_empty() || pickle.ends_with('/')).then(|| pickle.to_owned())
}

/// The values of an archive.
pub(super) fn read(archive: &mut Archive, folder: &str, budget: &mut Budget) -> Result<Value> {
    if archive.has(&format!("{folder}constants.pkl")) {
        return Err(Error::checkpoint(
            "a TorchScript program: save the state dict (torch.save(model.state_dict(), file))",
        ));
    }
    let order = match archive.has(&format!("{folder}byteorder")) {
        true if &*archive.stored(&format!("{folder}byteorder"))? == b"big" => Order::Big,
        _ => Order::Little,
    };
    check(archive)?;
    let pickle = Pickle::run(&archive.stored(&format!("{folder}data.pkl"))?, budget)?;
    let mut storages = Vec::with_capacity(pickle.sources().len());
    for source in pickle.sources() {
        storages.push(match source {
            Source::Keyed { key, dtype, numbers } => {
                let name = format!("{folder}data/{key}");
                let bytes = archive.stored(&name)?;
                let length = numbers.checked_mul(dtype.size());
                let part = length.and_then(|length| bytes.part(0..length));
                let bytes = part.ok_or_else(|| {
                    broken(format_args!("{name} has {} bytes for {numbers} numbers of {dtype}", bytes.len()))
                })?;
                Storage { bytes, dtype: *dtype, order }
            }
            Source::Saved(saved) => stream::storage(saved, budget)?,
        });
    }
    pickle.value(&storages, budget)
}

/// Whether every file of an archive has its checksum. PyTorch can be told to write none; then no file has the right one.
fn check(archive: &mut Archive) -> Result<()> {
    let (mut intact, mut damaged) = (0, None);
    let mut left = archive.byte_len();
    for name in archive.names().to_vec() {
        let size = archive.stored(&name)?.len();
        // What stands in one place under many names is read as often.
        left = left.checked_sub(size).ok_or_else(|| broken("its files overlap"))?;
        if archive.is_intact(&name) {
            intact += 1;
        } else {
            damaged = Some(name);
        }
    }
    match damaged {
        Some(name) if intact > 0 => {
            Err(broken(format_args!("{name} has another checksum than it should: it is damaged; get it again")))
        }
        _ => Ok(()),
    }
}
