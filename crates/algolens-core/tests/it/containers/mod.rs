//! Files of every kind that checkpoints are saved as.

mod formats;
mod found;
mod hostile;
mod make;
mod pickles;
mod reference;
mod refusals;
mod selection;

use algolens_core::{
    model::{
        AttentionDir, Model, Normalization,
        checkpoint::{Checkpoint, Contents, Hints, Loaded, Settings},
    },
    task::SortedList,
    train::Architecture,
};

/// The smallest model of the sorting task there is; other seeds have other weights.
fn small(seed: u64) -> Model {
    let shape =
        Architecture { d_model: 4, d_head: 2, normalization_type: Normalization::LN, ..Architecture::default() };
    let mut model = Model::init(shape.config(&SortedList::new(2, 3).unwrap()), seed).unwrap();
    // No two biases are equal.
    model.params.values_mut().iter_mut().enumerate().for_each(|(at, weight)| *weight += at as f32 / 64.0);
    model
}

/// What no file here says: there is no mask.
fn hints() -> Hints {
    Settings { attention_dir: Some(AttentionDir::Causal), ..Settings::default() }.into()
}

fn load(bytes: Vec<u8>) -> Loaded {
    Checkpoint::from_bytes(bytes, &hints()).unwrap()
}

fn contents(bytes: Vec<u8>) -> Contents {
    Contents::from_bytes(bytes).unwrap()
}

/// The one line that says why bytes are no checkpoint.
fn refusal(bytes: Vec<u8>, hints: &Hints) -> String {
    let said = Checkpoint::from_bytes(bytes, hints).expect_err("should be refused").to_string();
    assert!(!said.is_empty() && said.lines().count() == 1, "{said:?}");
    said
}
