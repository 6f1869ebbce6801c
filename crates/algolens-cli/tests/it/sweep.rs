//! `sweep`: one machine, interruptions, folders.

use crate::ran::{answer, refusal};
use assert_cmd::Command as Program;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};
use tempfile::TempDir;

const PLAN: &str = r#"
[recipe]
epochs = 2
train_size = 20000
[recipe.task]
name = "sorted_list"
list_len = 4
max_value = 20
[grid]
seed = "0..3"
model.n_heads = [1, 2]
"#;

/// A folder with a plan in it.
fn plan(text: &str) -> (TempDir, String) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("sweep.toml");
    fs::write(&path, text).unwrap();
    (folder, path.to_str().unwrap().to_owned())
}

/// Every file of a folder, by its path there.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = PathBuf::from(path.file_name().unwrap());
        match path.is_dir() {
            true => found.extend(files(&path).into_iter().map(|(below, bytes)| (name.join(below), bytes))),
            false => drop(found.insert(name, fs::read(&path).unwrap())),
        }
    }
    found
}

fn begin(plan: &str, out: &str) -> Child {
    let mut program = Command::new(Program::cargo_bin("algolens").unwrap().get_program());
    program.args(["sweep", plan, "--out", out]).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until so many runs are done.
fn wait_for_rows(out: &Path, rows: usize) {
    for _ in 0..6000 {
        if fs::read_dir(out.join("rows")).is_ok_and(|found| found.count() >= rows) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    panic!("no {rows} rows in two minutes");
}

#[test]
fn a_killed_and_an_interrupted_sweep_go_on_to_the_same_bytes() {
    let (folder, plan) = plan(PLAN);
    let [whole, cut] = ["whole", "cut"].map(|name| folder.path().join(name));
    let text = answer(&["sweep", &plan, "--out", whole.to_str().unwrap(), "--threads", "1"]);
    assert!(text.contains("Claims: ") && text.contains("6 of 6 came to their end"), "{text}");
    let out = cut.to_str().unwrap();
    for (signal, rows, code) in [("KILL", 1, None), ("INT", 3, Some(130))] {
        let mut child = begin(&plan, out);
        wait_for_rows(&cut, rows);
        assert!(Command::new("kill").args(["-s", signal, &child.id().to_string()]).status().unwrap().success());
        let ended = child.wait().unwrap();
        // It may have come to its end in between.
        assert!(ended.code() == code || ended.success(), "{ended}");
    }
    answer(&["sweep", &plan, "--out", out]);
    let (whole, mut cut) = (files(&whole), files(&cut));
    // Left by the kill, and locked by nobody.
    cut.remove(Path::new("sweep.json.lock"));
    assert_eq!(cut.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>());
    for (name, bytes) in &whole {
        assert!(cut[name] == *bytes, "{} differs", name.display());
    }
    assert_eq!(whole.keys().filter(|name| name.starts_with("rows")).count(), 6);
    assert!(whole.keys().any(|name| name.starts_with("reports")) && whole.contains_key(Path::new("rows.parquet")));
}

#[test]
fn a_run_that_fails_has_a_row_with_its_error() {
    let text = "[recipe]\nepochs = 1\ntask = \"modular_arithmetic(p=5)\"\n[grid]\nmodel.d_head = [4, 0]\nseed = [7]\n";
    let (folder, plan) = plan(text);
    let out = folder.path().join("out");
    let text = answer(&["sweep", &plan, "--out", out.to_str().unwrap()]);
    assert!(text.contains("Runs that failed: 1 of 2") && text.contains("d_head: expected "), "{text}");
    let row = String::from_utf8(files(&out)[Path::new("rows/run-1.json")].clone()).unwrap();
    assert!(row.contains(r#""error":"d_head: expected"#) && row.contains(r#""checkpoint":null"#), "{row}");
}

#[test]
fn what_is_no_sweep_is_refused_before_any_work() {
    let (folder, plan) = plan(PLAN);
    let out = folder.path().join("out");
    let out = out.to_str().unwrap();
    for (text, expected) in [
        ("grid.epoch = [1]", "sweep.toml: no field of a recipe is called \"epoch\"; near it: epochs"),
        ("[grid]\n", "sweep.toml: sweep: expected what differs from run to run: a grid, or a sample, found neither"),
        ("[grid]\nseed = [", "sweep.toml: line 2: expected TOML, found "),
        ("grid.seed = []", "sweep.toml: grid.seed: expected at least one value, found none"),
    ] {
        fs::write(&plan, text).unwrap();
        let said = refusal(&["sweep", &plan, "--out", out]);
        assert!(said.contains(expected), "{said}");
        assert!(!Path::new(out).exists());
    }
    fs::write(&plan, "[recipe]\nepochs = 1\ntask = \"modular_arithmetic(p=5)\"\n[grid]\nseed = [1]\n").unwrap();
    answer(&["sweep", &plan, "--out", out]);
    let before = files(Path::new(out));
    fs::write(&plan, "[recipe]\nepochs = 1\ntask = \"modular_arithmetic(p=5)\"\n[grid]\nseed = [2]\n").unwrap();
    let said = refusal(&["sweep", &plan, "--out", out]);
    let expected =
        r#"out/sweep.json: grid: expected {"seed":[1]}, as the sweep in the folder began with, found {"seed":[2]}"#;
    assert!(said.contains(expected), "{said}");
    let said = refusal(&["sweep", &plan, "--out", folder.path().to_str().unwrap()]);
    assert!(said.ends_with("expected an empty folder, or one with a sweep.json, found other files"), "{said}");
    assert!(files(Path::new(out)) == before);
}
