//! The command line's reader of `.npy` files.
#![no_main]

extern crate algolens_core as algolens;

#[allow(dead_code, reason = "the command line uses all of it")]
#[path = "../../crates/algolens-cli/src/npy.rs"]
mod npy;

use algolens_fuzz::{checked, npy};

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    for file in [input.to_vec(), npy(input)] {
        checked(self::npy::array(&file, "x"));
        let numbers = checked(self::npy::numbers(&file, "x"));
        let floats = checked(self::npy::floats(&file, "x"));
        if let (Some(numbers), Some(floats)) = (numbers, floats) {
            assert!(numbers.shape() == floats.shape() && numbers.len() <= file.len());
        }
        if let Some(words) = checked(self::npy::words(&file, "x")) {
            assert!(words.iter().map(|word| word.chars().count()).sum::<usize>() <= file.len());
        }
    }
});
