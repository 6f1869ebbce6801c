//! What a pickle may say: no more than `torch.save` writes of a state dict.
//!
//! The reader of PyTorch files executes nothing, but it passes over what it does not know, and it builds every object
//! that a pickle asks for: a few bytes of file can ask for gigabytes. So each pickle is first walked here, without
//! building anything, and refused if it is long, imports something that no state dict needs, or uses another opcode than
//! those of PyTorch's own pickles.

use crate::{Error, Result};

/// The longest pickle, in bytes: ten thousand tensors.
pub(super) const LONGEST: usize = 1 << 20;

/// The first pickle of a legacy file: PyTorch's magic number. The byte after the first says the protocol.
const LEGACY_MAGIC: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";
/// The pickles at the start of a legacy file: magic number, version, system, state dict, storage keys.
const LEGACY_PICKLES: usize = 5;

/// Checks the pickles of a file as PyTorch wrote them before it wrote zip archives.
pub(super) fn check_legacy(bytes: &[u8]) -> Result<()> {
    if !bytes.starts_with(&LEGACY_MAGIC) {
        return Err(Error::checkpoint("a pickle that is not a PyTorch file"));
    }
    let mut rest = bytes;
    for _ in 0..LEGACY_PICKLES {
        rest = &rest[check(rest)?..];
    }
    Ok(())
}

/// Checks the pickle at the start of `bytes`; its length.
pub(super) fn check(bytes: &[u8]) -> Result<usize> {
    let mut walk = Walk { rest: &bytes[..bytes.len().min(LONGEST)] };
    loop {
        let Some(&opcode) = walk.rest.first() else { return Err(ended(bytes)) };
        walk.rest = &walk.rest[1..];
        let skipped = match opcode {
            b'.' => return Ok(bytes.len().min(LONGEST) - walk.rest.len()),
            b'c' => walk.import(bytes)?,
            0x80 => walk.protocol()?,
            // What takes no argument: marks, tuples, lists, dicts, None, booleans, calls, persistent ids.
            b'(' | b')' | b'N' | b'Q' | b'R' | b']' | b'}' | b'a' | b'b' | b'e' | b's' | b't' | b'u' | 0x85..=0x89 => {
                Some(())
            }
            // Small numbers and the memo.
            b'K' | b'h' | b'q' => walk.skip(1),
            b'M' => walk.skip(2),
            b'J' | b'j' | b'r' => walk.skip(4),
            b'G' => walk.skip(8),
            // Strings and long integers, after their length.
            b'X' => walk.skip_sized::<4>(),
            b'U' | 0x8a => walk.skip_sized::<1>(),
            other => {
                let why =
                    format_args!("as a PyTorch file: its pickle uses opcode {other:#04x}, which no state dict needs");
                return Err(Error::checkpoint(why));
            }
        };
        skipped.ok_or_else(|| ended(bytes))?;
    }
}

fn ended(bytes: &[u8]) -> Error {
    if bytes.len() > LONGEST {
        Error::checkpoint(format_args!("as a PyTorch file: its pickle is longer than {LONGEST} bytes"))
    } else {
        Error::checkpoint("as a PyTorch file: its pickle is truncated")
    }
}

/// The part of a pickle that is still to be walked. Steps are `None` where it ends too early.
struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length).map(drop)
    }

    /// Skips what comes after its own length in `N` bytes.
    fn skip_sized<const N: usize>(&mut self) -> Option<()> {
        let length = self.take(N)?.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        self.skip(length)
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        self.take(end + 1).map(|line| &line[..end])
    }

    fn protocol(&mut self) -> Result<Option<()>> {
        match self.take(1) {
            None => Ok(None),
            Some(&[protocol]) if protocol > 3 => {
                let why = "as a PyTorch file: written with pickle_protocol";
                Err(Error::checkpoint(format_args!("{why}={protocol}; save it with the default, 2")))
            }
            Some(_) => Ok(Some(())),
        }
    }

    fn import(&mut self, bytes: &[u8]) -> Result<Option<()>> {
        let (Some(module), Some(name)) = (self.line(), self.line()) else { return Err(ended(bytes)) };
        if is_state_dict_import(module, name) {
            return Ok(Some(()));
        }
        let [module, name] = [module, name].map(String::from_utf8_lossy);
        Err(Error::checkpoint(format_args!(
            "as a PyTorch file: it imports {module}.{name}, which no state dict needs \
             (save the state dict alone: torch.save(model.state_dict(), file))"
        )))
    }
}

/// What `torch.save` imports for a state dict. None of it is ever called: the names say how tensors are described.
fn is_state_dict_import(module: &[u8], name: &[u8]) -> bool {
    match (module, name) {
        (b"collections", b"OrderedDict") => true,
        (b"torch._utils", b"_rebuild_tensor" | b"_rebuild_tensor_v2" | b"_rebuild_parameter") => true,
        (b"torch", storage) => storage.ends_with(b"Storage") && storage.iter().all(u8::is_ascii_alphanumeric),
        _ => false,
    }
}
