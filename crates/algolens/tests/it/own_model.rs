//! The model in `models/` is the one its numbers were taken from, and its study gives them.

use algolens::{
    engine::Plain,
    interpret::{Arrays, Material, Study, StudyOptions, Subject, study, tasks::sorted_list::Measures},
    model::{
        checkpoint::{Checkpoint, Hints},
        processing::Processed,
    },
    task::SortedList,
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{ops::ControlFlow, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");

fn study_of(checkpoint: &Checkpoint) -> (Study, Arrays) {
    let Processed { model, applied } = checkpoint.model.process();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let task = SortedList::new(10, 50).unwrap();
    let options = StudyOptions::default();
    study(subject, Material::Task(&task), Some(&task), &options, &applied, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Numbers agree to 1e-4 of max(1, |number|), everything else is equal; what `expected` leaves out is not compared.
fn assert_agrees(found: &Value, expected: &Value, at: &str) {
    match (found, expected) {
        (Value::Number(found), Value::Number(expected)) => {
            let [found, expected] = [found, expected].map(|n| n.as_f64().unwrap());
            assert!(
                (found - expected).abs() <= 1e-4 * expected.abs().max(1.0),
                "{at}: found {found}, expected {expected}"
            );
        }
        (Value::Array(found), Value::Array(expected)) => {
            assert_eq!(found.len(), expected.len(), "{at}");
            found.iter().zip(expected).enumerate().for_each(|(i, (f, e))| assert_agrees(f, e, &format!("{at}[{i}]")));
        }
        (Value::Object(found), Value::Object(expected)) => {
            for (key, expected) in expected {
                assert_agrees(found.get(key).unwrap_or(&Value::Null), expected, &format!("{at}.{key}"));
            }
        }
        _ => assert_eq!(found, expected, "{at}"),
    }
}

/// What is compared of a study.
const COMPARED: [&str; 7] =
    ["evaluation", "greedy_list_accuracy", "ablation", "attention", "serving", "triples", "adversarial"];

#[test]
fn the_study_of_our_model_gives_the_numbers_beside_it() {
    let (numbers, path) =
        (Path::new(FOLDER).join("sorted_list.json"), Path::new(FOLDER).join("sorted_list.safetensors"));
    let bytes = std::fs::read(&path).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let checkpoint = Checkpoint::open(&path, &Hints::default()).unwrap().checkpoint;
    assert_eq!(checkpoint.to_bytes().unwrap(), bytes);
    let results = serde_json::to_value(study_of(&checkpoint).0).unwrap();
    let mut found = serde_json::Map::from_iter([("sha256".to_owned(), Value::from(digest))]);
    found.extend(COMPARED.map(|key| (key.to_owned(), results[key].clone())));
    let found = Value::Object(found);
    if std::env::var_os("ALGOLENS_BLESS").is_some() {
        std::fs::write(&numbers, serde_json::to_string_pretty(&found).unwrap() + "\n").unwrap();
    }
    let expected = serde_json::from_str(&std::fs::read_to_string(&numbers).unwrap()).unwrap();
    assert_agrees(&found, &expected, "sorted_list.json");
}

/// The post's claims, on a model that the post's author did not train.
#[test]
fn our_model_copies_and_attends_to_the_next_larger_value() {
    let path = Path::new(FOLDER).join("sorted_list.safetensors");
    let (results, arrays) = study_of(&Checkpoint::open(&path, &Hints::default()).unwrap().checkpoint);
    let measures: Measures = results.measures().unwrap();
    assert!(measures.copy_heads.copied > 0.95);
    assert!(measures.attention.sep_to_smallest > 0.95);
    assert!(measures.attention.next_larger > 0.8);
    assert!(results.ablation.mean.values().all(|cost| *cost > 0.5));
    for (name, shape) in [
        ("W_OV_full", vec![2, 52, 52]),
        ("W_QK_full", vec![2, 52, 52]),
        ("W_QK_pos_query", vec![2, 21, 52]),
        ("W_QK_pos_key", vec![2, 52, 21]),
        ("QK_effective", vec![2, 52, 52]),
        ("direct_path", vec![52, 52]),
        ("probs_first_list", vec![52, 10]),
        ("probs_custom", vec![2, 52, 10]),
        ("pattern_first_10", vec![10, 2, 21, 21]),
    ] {
        assert_eq!(arrays[name].shape(), shape, "{name}");
    }
    // An untrained model shows none of this.
    let config = Checkpoint::open(&path, &Hints::default()).unwrap().checkpoint.model.config().clone();
    let untrained = algolens::model::Model::init(config, 0).unwrap();
    let (control, _) = study_of(&Checkpoint { model: untrained, task: None });
    assert!(control.evaluation.token_accuracy < 0.1);
    let measures: Measures = control.measures().unwrap();
    assert!(measures.attention.next_larger < 0.5);
    assert!(measures.copy_heads.copied < 0.5);
}
