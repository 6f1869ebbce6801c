//! The command line's reader of data that a user brings.
#![no_main]

extern crate algolens_core as algolens;

/// Files of the command line.
#[allow(dead_code, reason = "the command line uses all of it")]
#[path = "../../crates/algolens-cli/src"]
mod cli {
    pub mod data_file;
    pub mod npy;
}

use algolens_core::{
    Error,
    model::Config,
    task::{SortedList, Task},
};
use algolens_fuzz::{Arrays, checked};
use cli::{
    data_file::{DataFile, Part, Sizes, examples},
    npy,
};
use std::sync::Arc;

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let Some(archive) = Arrays::from_input(input).and_then(|arrays| arrays.archive()) else { return };
    let file = algolens_fuzz::in_file(&archive);
    let config = Config { n_ctx: 7, d_vocab: 5, d_vocab_out: 5, ..Config::default() };
    for sizes in [Sizes::default(), (&config).into()] {
        let no_task = || Err::<Arc<dyn Task>, _>(Error::checkpoint("no task"));
        if let Some(read) = checked(DataFile::read(file.path(), sizes, no_task)) {
            assert!(!read.data.is_empty());
            assert!(read.split.as_ref().is_none_or(|split| split.len() == read.data.len()));
            let members = [Part::Train, Part::Validation, Part::Test].map(|part| read.members(part).len());
            assert!(members.iter().sum::<usize>() <= read.data.len());
        }
    }
    let sorting = || SortedList::new(3, 3).map(|task| Arc::new(task) as Arc<dyn Task>);
    checked(DataFile::read(file.path(), (&config).into(), sorting));
    checked(examples(file.path(), 1));
});
