//! Every training flag that the help names, from outside.

use algolens::{
    task::Registry,
    train::{Recipe, Run},
};
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

/// A recipe that takes a moment.
#[rustfmt::skip]
const SMALL: [[&str; 2]; 9] = [
    ["--list-len", "4"], ["--max-value", "9"], ["--d-model", "8"], ["--d-head", "4"], ["--d-mlp", "4"],
    ["--train-size", "64"], ["--validation-size", "8"], ["--batch-size", "32"], ["--epochs", "1"],
];

fn run(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("algolens")).args(arguments).arg("--quiet").output().unwrap()
}

/// The training flags, each with a value that is not its default, as the help of `train` shows them.
fn flags() -> Vec<(String, String)> {
    const HEADINGS: [&str; 4] = ["Recipe:", "Optimizer:", "Task:", "Model:"];
    let help = String::from_utf8(run(&["train", "--help"]).stdout).unwrap();
    let mut flags: Vec<(String, String)> = Vec::new();
    let mut of_a_recipe = false;
    for line in help.lines() {
        if !line.is_empty() && !line.starts_with(' ') {
            of_a_recipe = HEADINGS.contains(&line);
        } else if let Some((flag, value)) = line.trim().split_once(" <").filter(|_| of_a_recipe) {
            flags.push((flag.into(), if ["N>", "SEED>"].contains(&value) { "3" } else { "0.5" }.into()));
        } else if let Some((_, choices)) = line.trim().split_once("[possible values: ").filter(|_| of_a_recipe) {
            let last = choices.trim_end_matches(']').split(", ").last();
            flags.last_mut().unwrap().1 = last.unwrap().into();
        }
    }
    flags.retain(|(flag, _)| !["--config", "--task"].contains(&flag.as_str()));
    flags
}

/// The recipe of a small training with these flags.
fn trained(folder: &Path, more: &[&str]) -> Recipe {
    let out = folder.join("m.safetensors");
    let small = SMALL.iter().filter(|[flag, _]| !more.contains(flag)).flatten().copied();
    let arguments: Vec<&str> =
        ["train", "--out", out.to_str().unwrap()].into_iter().chain(small).chain(more.iter().copied()).collect();
    let output = run(&arguments);
    assert!(output.status.success(), "{more:?}: {}", String::from_utf8_lossy(&output.stderr));
    Run::from_bytes(&fs::read(folder.join("m.safetensors.state")).unwrap(), &Registry::default())
        .unwrap()
        .recipe()
        .clone()
}

/// A model and data of no size to speak of.
const TINY: &[&str] = &["--train-size", "50", "--validation-size", "10", "--d-model", "8", "--d-head", "4"];

#[test]
fn every_training_flag_changes_the_recipe_and_is_refused_beside_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let usual = trained(folder.path(), &[]);
    let flags = flags();
    assert_eq!(flags.len(), 33, "{flags:?}");
    for (flag, value) in &flags {
        assert_ne!(trained(folder.path(), &[flag, value]), usual, "{flag} {value}");
        let output = run(&["study", MODEL, flag, value, "--out", folder.path().join("study").to_str().unwrap()]);
        let said = String::from_utf8(output.stderr).unwrap();
        let hint = ["--act-fn", "--normalization", "--attention", "--positions", "--eps"].contains(&flag.as_str());
        // A hint is heeded: it contradicts the file.
        let expected = if hint { ": expected " } else { "flags beside MODEL: expected none that only training heeds" };
        assert!(said.contains(expected) && (hint || said.contains(&format!("found {flag}\n"))), "{flag}: {said}");
        assert_eq!(output.status.code(), Some(2), "{flag}: {said}");
    }
    assert!(!folder.path().join("study").exists());
}

#[test]
fn a_task_is_learnt_and_is_what_a_model_is_taken_for() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("m.safetensors");
    let train =
        |task: &[&str]| run(&[&["train", "--out", out.to_str().unwrap(), "--epochs", "1"], TINY, task].concat());
    assert!(train(&["--task", "sorted_list(list_len=3)", "--max-value", "7"]).status.success());
    let state = fs::read(folder.path().join("m.safetensors.state")).unwrap();
    let task = Run::from_bytes(&state, &Registry::default()).unwrap().recipe().task_spec().unwrap().to_string();
    assert_eq!(task, "sorted_list(list_len=3,max_value=7)");
    let said = |output: Output| String::from_utf8(output.stderr).unwrap();
    assert!(said(train(&["--task", "summ", "--list-len", "4"])).contains("no task is called \"summ\"; near it: sum"));
    let study = run(&["study", out.to_str().unwrap(), "--task", "sorted_list(list_len=4,max_value=7)"]);
    assert!(said(study).contains("n_ctx of the model: expected the task's 9, found 7"));
}
