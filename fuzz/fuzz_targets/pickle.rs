//! Pickles that are a file of their own, and streams as `torch.save` wrote them: whatever begins as they do.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| algolens_fuzz::checkpoint(&[b"\x80", bytes].concat()));
