//! Checkpoints as JSON.
#![no_main]

libfuzzer_sys::fuzz_target!(|text: &[u8]| algolens_fuzz::checkpoint(&[b"{", text].concat()));
