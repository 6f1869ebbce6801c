//! The model in `models/` is the one its numbers were taken from, and its study gives them.

use crate::pinned::{assert_pinned, in_models, pins, study_of};
use algolens::{
    interpret::{Arrays, Study, Verdict, claims::exchanged_heads, tasks::sorted_list::Measures},
    model::{
        Model,
        checkpoint::{Checkpoint, Hints},
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const FILE: &str = "sorted_list.safetensors";

/// The model, and its study.
static STUDY: LazyLock<(Checkpoint, Study, Arrays)> = LazyLock::new(|| {
    let checkpoint = Checkpoint::open(&in_models(FILE), &Hints::default()).unwrap().checkpoint;
    let (results, arrays) = study_of(&checkpoint.model);
    (checkpoint, results, arrays)
});

/// What is compared of a study.
const COMPARED: [&str; 7] =
    ["evaluation", "greedy_list_accuracy", "ablation", "attention", "serving", "triples", "adversarial"];

#[test]
fn the_study_of_our_model_gives_the_numbers_beside_it() {
    let (checkpoint, results, _) = &*STUDY;
    let bytes = std::fs::read(in_models(FILE)).unwrap();
    let digest: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(checkpoint.to_bytes().unwrap(), bytes);
    let mut found = serde_json::Map::from_iter([("sha256".to_owned(), Value::from(digest))]);
    found.insert("claims".into(), pins(results));
    let results = serde_json::to_value(results).unwrap();
    found.extend(COMPARED.map(|key| (key.to_owned(), results[key].clone())));
    assert_pinned("sorted_list.json", &Value::Object(found));
}

/// The post's claims, on a model that the post's author did not train.
#[test]
fn our_model_copies_and_attends_to_the_next_larger_value() {
    let (_, results, arrays) = &*STUDY;
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
}

/// No claim holds of random weights but as it does of others.
#[test]
fn an_untrained_model_shows_none_of_this() {
    let untrained = Model::init(STUDY.0.model.config().clone(), 77).unwrap();
    let (results, _) = study_of(&untrained);
    assert!(results.evaluation.token_accuracy < 0.1);
    let measures: Measures = results.measures().unwrap();
    assert!(measures.attention.next_larger < 0.5);
    assert!(measures.copy_heads.copied < 0.5);
    for finding in &results.findings {
        assert_ne!(finding.verdict, Verdict::Holds, "{finding:?}");
    }
}

/// What claims say of attention fails where every head attends as the other one, and what they say of behaviour is not asked.
#[test]
fn our_model_with_exchanged_heads_fails_the_claims_about_attention() {
    let (results, _) = study_of(&exchanged_heads(&STUDY.0.model).remove(0));
    let verdict = |id: &str| results.findings.iter().find(|finding| finding.id == id).unwrap().verdict;
    for id in ["next_larger", "sep_to_smallest", "second_successor"] {
        assert_eq!(verdict(id), Verdict::Fails, "{id}");
    }
    for id in ["large_gaps_fail", "second_successor_is_harmless", "runs_survive_without_direct_path"] {
        assert_eq!(verdict(id), Verdict::NotAsked, "{id}");
    }
}
