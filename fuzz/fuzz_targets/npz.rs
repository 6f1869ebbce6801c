//! Checkpoints as NumPy's arrays by name, stored or deflated.
#![no_main]

use algolens_fuzz::{Arrays, checkpoint};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(archive) = Arrays::from_input(input).and_then(|arrays| arrays.archive()) {
        checkpoint(&archive);
    }
});
