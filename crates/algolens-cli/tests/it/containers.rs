//! Models in the files of other programs, and the flags that say which of a file's tensors are meant.

use algolens::model::{
    Model,
    checkpoint::{Checkpoint, Hints},
};
use assert_cmd::Command;
use ndarray::{ArrayViewD, Axis};
use serde_json::{Map, Value, json};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("algolens").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn nested(array: ArrayViewD<f32>) -> Value {
    if array.ndim() == 0 {
        return json!(array.first().unwrap());
    }
    (0..array.len_of(Axis(0))).map(|at| nested(array.index_axis(Axis(0), at))).collect::<Vec<_>>().into()
}

/// The weights that come with the repository, by name.
fn weights() -> (Model, Map<String, Value>) {
    let model = Checkpoint::open(MODEL.as_ref(), &Hints::default()).unwrap().checkpoint.model;
    let weights = model.params.tensors().map(|(name, array)| (name.to_owned(), nested(array))).collect();
    (model, weights)
}

#[test]
fn key_and_ignore_say_which_tensors_are_meant() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    let (model, weights) = weights();
    let tensors = weights.len();
    let mut probed = weights.clone();
    probed.insert("probe.w".into(), json!([1.5, 2.5]));
    let file = json!({"runs": [{"state_dict": weights}, {"state_dict": probed}], "config": {"lr": 0.1}});
    fs::write(here.join("runs.json"), file.to_string()).unwrap();
    let several = format!(
        "algolens: runs.json: the checkpoint holds several state dicts, runs.0.state_dict ({tensors} tensors), \
         runs.1.state_dict ({} tensors): say which with --key KEY\n",
        tensors + 1
    );
    let told = ["--attention", "causal"];
    for verb in ["inspect", "eval", "study"] {
        assert_eq!(refused(here, &[&[verb, "runs.json"][..], &told].concat()), several);
    }
    let text = printed(here, &["inspect", "runs.json", told[0], told[1], "--key", "runs.0"]);
    assert!(text.contains("\nread from: runs.0.state_dict\npassed over (no weights): runs.*\n"), "{text}");
    let extra = [&["inspect", "runs.json", "--key", "runs.1", "--json"][..], &told].concat();
    let expected = "algolens: runs.json: checkpoint: expected only weights of this kind of model, but for names to ignore, \
                    found probe.w\n";
    assert_eq!(refused(here, &extra), expected);
    let ignored: Value =
        serde_json::from_str(&printed(here, &[&extra[..], &["--ignore", "probe.*"]].concat())).unwrap();
    assert_eq!(ignored["key"], "runs.1.state_dict");
    assert_eq!(ignored["passed_over"], json!(["runs.*", "probe.w"]));
    assert_eq!(ignored["parameters"], model.params.layout().len());
    let said = refused(here, &["study", "--key", "model", "--out", "none"]);
    assert_eq!(said, "algolens: flags: expected MODEL beside what a file does not say, found --key\n");
    assert!(!here.join("none").exists());
}
