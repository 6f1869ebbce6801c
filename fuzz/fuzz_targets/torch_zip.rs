//! Pickles in zip archives as `torch.save` writes them, with their storages.
#![no_main]

use algolens_fuzz::{Pickled, checkpoint};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    if let Some(pickled) = Pickled::from_input(input) {
        checkpoint(&pickled.archive());
    }
});
