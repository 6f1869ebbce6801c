//! A program of its own with a task of its own goes through the verbs.

use assert_cmd::Command;
use serde_json::{Value, json};

fn answer(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("own-tasks").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(output.stderr));
    text(output.stdout)
}

#[test]
fn the_program_s_tasks_are_listed_with_their_defaults() {
    let help = answer(&["--help"]);
    for task in ["sorted_list(list_len=10,max_value=50)", "reversed_list(length=6)", "some bits backwards"] {
        assert!(help.contains(task), "{help}");
    }
}

/// A model trained here on a task of this program: its file names the task, and only a program that knows it takes it.
#[test]
fn a_task_of_ones_own_is_trained_named_by_its_file_and_studied() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let model = path("model.safetensors");
    answer(&["train", "--out", &model, "--quiet", "--task", "reversed_list(length=4)"]);
    let evaluation: Value = serde_json::from_str(&answer(&["eval", &model, "--json"])).unwrap();
    assert_eq!(evaluation["task"], json!({"name": "reversed_list", "length": 4}));
    assert_eq!(evaluation["task_assumed"], false);
    // Guessing is right in half.
    assert!(evaluation["token_accuracy"].as_f64().unwrap() > 0.95, "{evaluation}");
    assert!(answer(&["inspect", &model]).contains("reversed_list(length=4)"));
    let said: Value = serde_json::from_str(&answer(&["predict", &model, "0,1,1,1", "--json"])).unwrap();
    assert_eq!(said[0]["right"], true, "{said}");
    answer(&["study", &model, "--quiet", "--study-size", "100", "--out", &path("study")]);
    assert!(std::fs::read_to_string(path("study/report.html")).unwrap().contains("reversed_list"));
}

#[test]
fn options_of_ones_own_are_checked() {
    let output = Command::cargo_bin("own-tasks").unwrap().args(["dataset", "--task", "reversed_list(size=3)"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("option of reversed_list: expected length, found size"), "{said}");
}
