//! Files of others, as they saved them; `expected.json` beside them says what PyTorch finds in them.

use super::contents;
use algolens_core::model::{
    AttentionDir, Normalization,
    checkpoint::{Checkpoint, Chosen, Container, Contents, Dtype, Hints, Settings, Value},
};
use algolens_testing::reference;
use serde_json::Value as Json;
use std::path::Path;

fn read(folder: &Path, file: &str) -> Contents {
    contents(std::fs::read(folder.join(file)).unwrap())
}

fn expected(folder: &Path) -> Json {
    serde_json::from_slice(&std::fs::read(folder.join("expected.json")).unwrap()).unwrap()
}

/// Names, shapes and types are those of a table; sums and first elements too, where it has them.
fn assert_tensors(chosen: &Chosen, table: &Json) {
    let table = table.as_object().unwrap();
    assert!(chosen.tensors.keys().eq(table.keys()), "{:?}", chosen.tensors.keys());
    for (name, tensor) in &chosen.tensors {
        let expected = &table[name];
        let shape: Vec<usize> = serde_json::from_value(expected["shape"].clone()).unwrap();
        assert_eq!(
            (tensor.shape(), tensor.dtype().name()),
            (&shape[..], expected["dtype"].as_str().unwrap()),
            "{name}"
        );
        if let Some(sum) = expected["sum"].as_f64() {
            let values = tensor.floats::<f64>().unwrap();
            assert!((values.iter().sum::<f64>() - sum).abs() <= 1e-5 * sum.abs().max(1.0), "{name}");
            assert!((values[0] - expected["first"].as_f64().unwrap()).abs() < 1e-6, "{name}");
        }
    }
}

#[test]
fn a_whole_module_has_the_tensors_that_pytorch_finds_in_it() {
    let Some(folder) = reference("whole_module") else { return };
    let expected = &expected(&folder)["l_2_2_model"];
    let file = read(&folder, "l_2_2_model.pth");
    let chosen = file.choose(None).unwrap();
    assert_tensors(&chosen, &expected["tensors"]);
    assert_eq!((chosen.key.as_str(), chosen.tensors.len()), ("", 24));
    let (_, config) = chosen.beside.iter().find(|(name, _)| name == "cfg").unwrap();
    assert!(matches!(config, Value::Object(object) if object.class.ends_with("HookedTransformerConfig")));
    for key in ["n_layers", "n_ctx", "d_model", "d_head", "n_heads", "d_vocab", "d_vocab_out"] {
        assert_eq!(config.get(key).unwrap().as_int(), expected["config"][key].as_i64(), "{key}");
    }
    assert_eq!(config.get("eps").unwrap().as_float(), Some(1e-5));
    // One of NumPy's scalars.
    assert!(config.get("initializer_range").unwrap().as_float().is_some());
    let hints: Hints = Settings { normalization_type: Some(Normalization::None), ..Settings::default() }.into();
    let loaded = Checkpoint::open(&folder.join("l_2_2_model.pth"), &hints).unwrap();
    assert_eq!(loaded.checkpoint.model.config().attention_dir, AttentionDir::Causal);
    assert_eq!(loaded.passed_over.len(), 4);
}

#[test]
fn a_file_destroyed_by_a_text_conversion_is_refused_for_what_it_is() {
    let Some(file) = reference("whole_module/term.pt") else { return };
    let said = Contents::from_bytes(std::fs::read(file).unwrap()).unwrap_err().to_string();
    assert!(said.starts_with("not a readable checkpoint: damaged by a text conversion"), "{said}");
}

#[test]
fn a_folder_of_21_characters_is_no_hindrance() {
    let Some(folder) = reference("palindromes_berlin") else { return };
    for file in ["palindrome_classifier.pt", "palindrome_classifier_hard.pt"] {
        let loaded = Checkpoint::open(&folder.join(file), &Hints::default()).unwrap();
        let (config, expected) = (loaded.checkpoint.model.config(), &expected(&folder)["config"]);
        assert_eq!([config.n_layers, config.d_model, config.d_vocab_out], [2, 32, 2]);
        assert_eq!(expected["d_model"], 32);
    }
}

#[test]
fn a_pickled_state_dict_has_the_tensors_that_pytorch_finds_in_it() {
    let Some(folder) = reference("one_head_sorting") else { return };
    let file = read(&folder, "model_1.pkl");
    assert_eq!(file.container, Container::Pickle);
    let chosen = file.choose(None).unwrap();
    assert_tensors(&chosen, &expected(&folder)["tensors"]);
    let loaded = Checkpoint::open(&folder.join("model_1.pkl"), &Hints::default()).unwrap();
    assert_eq!(loaded.checkpoint.model.config().d_vocab, 66);
}

#[test]
fn a_grokked_run_gives_its_weights_losses_and_config() {
    let Some(folder) = reference("modular_addition") else { return };
    let expected = &expected(&folder)["models"]["wd_10-1_mod_addition_loss_curve.pth"];
    let file = read(&folder, "wd_10-1_mod_addition_loss_curve.pth");
    let chosen = file.choose(None).unwrap();
    assert_eq!(chosen.key, "model");
    for row in expected["mapping"].as_array().unwrap() {
        let shape: Vec<usize> = serde_json::from_value(row["shape"].clone()).unwrap();
        assert_eq!(chosen.tensors[row["theirs"].as_str().unwrap()].shape(), shape, "{row}");
    }
    let mask = &chosen.tensors["blocks.0.attn.mask"];
    assert_eq!(mask.floats::<f32>().unwrap(), [1., 0., 0., 1., 1., 0., 1., 1., 1.]);
    assert_eq!(chosen.outside, ["train_loss", "test_loss", "optimizer"]);
    let beside = |name: &str| &chosen.beside.iter().find(|(key, _)| key == name).unwrap().1;
    let Value::List(losses) = beside("train_losses") else { panic!("no list") };
    assert_eq!(losses.items().len(), 107_791);
    let first: Vec<f64> = losses.items()[..5].iter().map(|loss| loss.as_float().unwrap()).collect();
    for (found, expected) in first.iter().zip(expected["published"]["first five train_losses"].as_array().unwrap()) {
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-6);
    }
    assert_eq!(beside("epoch").as_int(), Some(107_790));
    assert_eq!(beside("config").get("weight_decay").unwrap().as_int(), Some(1));
    let Some(Value::Tensor(loss)) = file.root.get("train_loss") else { panic!("no tensor") };
    assert_eq!((loss.dtype(), loss.shape().len()), (Dtype::Float64, 0));
    assert!((loss.floats::<f64>().unwrap()[0] - expected["published"]["train_loss"].as_f64().unwrap()).abs() < 1e-14);
    assert!(file.choose(Some("optimizer")).is_err());
}

#[test]
fn copies_of_the_embedding_are_passed_over() {
    let Some(folder) = reference("modular_addition") else { return };
    let hints: Hints = Settings {
        normalization_type: Some(Normalization::None),
        act_fn: Some(algolens_core::model::ActFn::Relu),
        ..Settings::default()
    }
    .into();
    let loaded = Checkpoint::open(&folder.join("C113_T_seed1_model.pt"), &hints).unwrap();
    assert_eq!(loaded.passed_over, ["blocks.0.attn.IGNORE", "blocks.0.attn.mask", "x_embed", "y_embed"]);
    assert_eq!(loaded.checkpoint.model.config().d_vocab_out, 113);
}

#[test]
fn every_other_file_of_the_reference_holds_a_state_dict() {
    for (file, tensors) in [
        ("sorted_list/sorted_list_model.pt", 18),
        ("brackets/brackets_model_state_dict.pt", 60),
        ("caesar/caesar_cipher_model_easy.pt", 30),
        ("caesar/caesar_cipher_model_medium.pt", 30),
        ("cumsum/cumsum_model.pt", 18),
        ("first_unique/first_unique_char_model.pt", 30),
        ("palindromes/palindrome_classifier.pt", 30),
        ("sum/sum_model.pt", 30),
        ("trigrams/trigram_model.pt", 18),
        ("max_of_list/model.pt", 16),
        ("longest_cycle/transformer_longest_cycle_h4_n4.safetensors", 7),
        ("family/LN-gelu_new-short/model.safetensors", 42),
    ] {
        let Some(path) = reference(file) else { return };
        let chosen = contents(std::fs::read(path).unwrap()).choose(None).unwrap();
        assert_eq!((chosen.key.as_str(), chosen.tensors.len(), chosen.outside.len()), ("", tensors, 0), "{file}");
    }
}
