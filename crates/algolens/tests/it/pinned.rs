//! Studies, and the numbers in `models/` that they must give.

use algolens::{
    engine::Plain,
    interpret::{Arrays, Material, Study, StudyOptions, Subject, study},
    model::{Model, processing::Processed},
    task::SortedList,
};
use serde_json::{Map, Value, json};
use std::{
    ops::ControlFlow,
    path::{Path, PathBuf},
};

/// The study of a model for the post's task, its weights processed as the post does.
pub fn study_of(model: &Model) -> (Study, Arrays) {
    let Processed { model, applied } = model.process();
    let subject = Subject { model: &model, engine: &Plain::new() };
    let (task, options) = (SortedList::POST, StudyOptions::default());
    study(subject, Material::Task(&task), Some(&task), &options, &applied, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// What is pinned of a study's findings, by claim.
pub fn pins(results: &Study) -> Value {
    let pin = |finding: &algolens::interpret::Finding| {
        let pinned = json!({ "value": finding.value, "verdict": finding.verdict, "thresholds": finding.thresholds });
        (finding.id.clone(), pinned)
    };
    Value::Object(results.findings.iter().map(pin).collect::<Map<_, _>>())
}

/// A file in `models/`.
pub fn in_models(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name)
}

/// The numbers in a file of `models/`.
pub fn read_pinned(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(in_models(name)).unwrap()).unwrap()
}

/// Compares with the numbers in a file of `models/`; writes them there if `ALGOLENS_BLESS` is set.
pub fn assert_pinned(name: &str, found: &Value) {
    if std::env::var_os("ALGOLENS_BLESS").is_some() {
        std::fs::write(in_models(name), serde_json::to_string_pretty(found).unwrap() + "\n").unwrap();
    }
    assert_agrees(found, &read_pinned(name), name);
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
