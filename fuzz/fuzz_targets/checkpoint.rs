//! Files of any kind, as they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algolens_fuzz::checkpoint(bytes));
