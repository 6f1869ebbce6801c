//! The command line's reader of config files, JSON or TOML, and a model that is read with what they say.
#![no_main]

extern crate algolens_core as algolens;

#[allow(dead_code, reason = "the command line uses all of it")]
#[path = "../../crates/algolens-cli/src/model_config.rs"]
mod model_config;

use algolens_core::model::{
    Config, Model,
    checkpoint::{Checkpoint, Hints},
};
use algolens_fuzz::checked;
use std::sync::LazyLock;

/// A model whose file says everything.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let config = Config { n_ctx: 4, d_vocab: 3, d_vocab_out: 3, d_model: 4, d_head: 2, ..Config::default() };
    let model = Model::init(config, 1).expect("a model");
    Checkpoint { model, task: None }.to_bytes().expect("it fits")
});

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let file = algolens_fuzz::in_file(text);
    if let Some(config) = checked(model_config::read(file.path())) {
        checked(Checkpoint::from_bytes(FILE.clone(), &Hints { config, ..Hints::default() }));
    }
});
