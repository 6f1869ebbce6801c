//! Every training flag that the help names, from outside.

use algolens::train::{Recipe, Run};
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
    flags.retain(|(flag, _)| flag != "--config");
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
    Run::from_bytes(&fs::read(folder.join("m.safetensors.state")).unwrap()).unwrap().recipe().clone()
}

#[test]
fn every_training_flag_changes_the_recipe_and_is_refused_beside_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let usual = trained(folder.path(), &[]);
    let flags = flags();
    assert_eq!(flags.len(), 25, "{flags:?}");
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
