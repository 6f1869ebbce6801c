//! Safetensors: any header, and as much data as it speaks of.
#![no_main]

use algolens_fuzz::{Header, checkpoint};

libfuzzer_sys::fuzz_target!(|input: &[u8]| checkpoint(&Header::from_input(input).file()));
