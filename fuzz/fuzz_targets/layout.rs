//! The command line's reader of layout files, and a model that is read by what they say.
#![no_main]

extern crate algolens_core as algolens;

#[allow(dead_code, reason = "the command line uses all of it")]
#[path = "../../crates/algolens-cli/src/layout_file.rs"]
mod layout_file;

use algolens_core::model::{
    AttentionDir, Config, Model, Normalization,
    checkpoint::{Checkpoint, Contents, Draft, Hints, Settings},
};
use algolens_fuzz::{checked, in_toml};
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// A model as a program might save it that says nothing but names, shapes and numbers.
static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let config = Config { n_ctx: 4, d_vocab: 3, d_vocab_out: 3, d_model: 4, d_head: 2, ..Config::default() };
    let model: Model = Model::init(config, 1).expect("a model");
    let tensors: Map<String, Value> = model
        .params
        .tensors()
        .map(|(name, array)| (name.to_owned(), serde_json::json!([array.iter().collect::<Vec<_>>()])))
        .collect();
    serde_json::to_vec(&tensors).expect("numbers")
});

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let file = in_toml(text);
    let Some(layout) = checked(layout_file::named_or_read(&file.path().to_string_lossy())) else { return };
    let said = Settings {
        n_heads: Some(2),
        normalization_type: Some(Normalization::None),
        attention_dir: Some(AttentionDir::Causal),
        ..Settings::default()
    };
    checked(Checkpoint::from_bytes(FILE.clone(), &Hints { layout: Some(layout), ..said.into() }));
    let chosen = Contents::from_bytes(FILE.clone()).and_then(|contents| contents.choose(None)).expect("tensors");
    assert!(!layout_file::template(&Draft::of(&chosen)).is_empty());
});
