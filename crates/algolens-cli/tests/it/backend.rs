//! Which backend runs a model, and `algolens bench`.

use assert_cmd::Command;
use serde_json::Value;
use std::{path::Path, process::Output};
use tempfile::TempDir;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
const FIGURES: [&str; 7] = [
    "train_ms",
    "train_ms_min",
    "forward_lists_per_s",
    "forward_lists_per_s_20480",
    "peak_memory_mb",
    "train_roof_share",
    "forward_roof_share",
];
const NO_CIRCUIT: &str = "algolens: model for the circuit backend: expected one block, found 2\n";

fn run(arguments: &[&str]) -> Output {
    Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap()
}

fn json(arguments: &[&str]) -> Value {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.is_empty(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What a refused command says: one line, beside exit code 2 and nothing else.
fn refused(arguments: &[&str]) -> String {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty() && said.lines().count() == 1, "{arguments:?}: {said}");
    said
}

/// The bytes of a small model trained with more flags.
#[rustfmt::skip]
fn trained(folder: &Path, more: &[&str]) -> Vec<u8> {
    let out = folder.join("m.safetensors");
    let small = [
        "train", "--quiet", "--list-len", "3", "--max-value", "9", "--d-model", "8", "--train-size", "64",
        "--validation-size", "8", "--epochs", "1", "--out", out.to_str().unwrap(),
    ];
    let output = run(&[&small, more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    std::fs::read(out).unwrap()
}

#[test]
fn bench_times_every_backend() {
    let quick = ["bench", "--json", "--seconds", "0.05", "--batch", "32"];
    let report = json(&quick);
    for backend in ["circuit", "plain"] {
        for name in FIGURES {
            let figure = &report[backend][name];
            let unknown = figure.is_null() && name == "peak_memory_mb" && !cfg!(target_os = "linux");
            assert!(unknown || figure.as_f64().unwrap() > 0.0, "{backend}: {name}: {figure}");
        }
    }
    assert_eq!(report["batch"], 32);
    assert!(report["machine"]["cores"].as_u64().unwrap() > 0);
    // A share is of what the same run measured.
    let roof = report["machine"]["roof_multiply_adds_per_s"].as_f64().unwrap();
    let circuit = &report["circuit"];
    let figure = |name: &str| circuit[name].as_f64().unwrap();
    let share = 1e3 * figure("train_multiply_adds") / figure("train_ms_min") / roof;
    assert!((share / figure("train_roof_share") - 1.0).abs() < 1e-9 && share < 1.0, "{share}");
    let share = figure("forward_multiply_adds") * figure("forward_lists_per_s_max") / 32.0 / roof;
    assert!((share / figure("forward_roof_share") - 1.0).abs() < 1e-9 && share < 1.0, "{share}");
    let one = [&quick[..], &["--backend", "circuit", "--vectors", "scalar", "--threads", "1", "--", MODEL]].concat();
    let report = json(&one);
    assert!(report["circuit"].is_object() && report["plain"].is_null());
    assert_eq!((&report["machine"]["threads"], &report["machine"]["vectors"]), (&1.into(), &"scalar".into()));
}

#[test]
fn bench_knows_the_backends_that_a_model_has_not() {
    let folder = TempDir::new().unwrap();
    trained(folder.path(), &["--n-layers", "2"]);
    let model = folder.path().join("m.safetensors");
    let model = model.to_str().unwrap();
    let report = json(&["bench", model, "--json", "--seconds", "0.01", "--batch", "8", "--positions", "2..4"]);
    assert!(report["circuit"].is_null() && report["plain"].is_object());
    for verb in ["bench", "eval"] {
        assert_eq!(refused(&[verb, model, "--backend", "circuit"]), NO_CIRCUIT);
    }
}

#[test]
fn bad_flags_are_refused_on_one_line() {
    let bench = |flag: &str, value: &str| refused(&["bench", flag, value]);
    assert!(bench("--backend", "steam").starts_with("algolens: backend: expected one of circuit, "));
    assert!(bench("--vectors", "avx3").starts_with("algolens: vector instructions: expected one of scalar"));
    for positions in ["first", "3..3", "4..2", "0..22", "-1..2", "..", "1..2..3", ""] {
        let said = refused(&["bench", &format!("--positions={positions}")]);
        let expected = "algolens: --positions: expected last, all, or A..B with A < B ≤ 21, found";
        assert!(said.starts_with(expected), "{said}");
    }
    assert_eq!(bench("--batch", "0"), "algolens: --batch: expected 1 or more, found 0\n");
    assert!(bench("--batch", "18446744073709551615").starts_with("algolens: number of examples: expected 1 to"));
    for seconds in ["0", "nan", "inf", "1e9"] {
        assert!(bench("--seconds", seconds).starts_with("algolens: --seconds: expected more than 0, at most 3600"));
    }
    assert!(bench("--act-fn", "relu").starts_with("algolens: flags: expected MODEL"));
    assert!(refused(&["bench", "none"]).starts_with("algolens: none: "));
    let said = refused(&["eval", MODEL, "--backend", "steam"]);
    assert!(said.starts_with("algolens: backend: expected one of auto, circuit, "), "{said}");
    assert!(refused(&["study", MODEL, "--vectors", "avx3"]).contains("expected one of scalar"));
    // Before anything is written.
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("m");
    let out = out.to_str().unwrap();
    assert_eq!(refused(&["train", "--out", out, "--n-layers", "2", "--backend", "circuit"]), NO_CIRCUIT);
    assert_eq!(refused(&["study", "--out", out, "--n-layers", "2", "--backend", "circuit"]), NO_CIRCUIT);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn backends_agree_and_auto_is_the_fastest() {
    let eval = |more: &[&str]| json(&[&["eval", MODEL, "--json"], more].concat());
    let (auto, circuit, plain) = (eval(&[]), eval(&["--backend", "circuit"]), eval(&["--backend", "plain"]));
    assert_eq!(auto, circuit);
    let scalar = eval(&["--backend", "circuit", "--vectors", "scalar"]);
    for key in ["loss", "mean_prob", "median_prob", "min_prob", "token_accuracy", "list_accuracy"] {
        let [circuit, plain, scalar] = [&circuit, &plain, &scalar].map(|found| found[key].as_f64().unwrap());
        assert!((circuit - plain).abs() < 1e-5 && (scalar - plain).abs() < 1e-5, "{key}: {circuit} {plain} {scalar}");
    }
    let folder = TempDir::new().unwrap();
    let auto = trained(folder.path(), &[]);
    assert!(auto == trained(folder.path(), &["--backend", "circuit"]));
    assert!(auto != trained(folder.path(), &["--backend", "plain"]));
}

#[test]
fn the_flag_s_former_name_still_works() {
    let eval = |flag: &str| json(&["eval", MODEL, "--json", flag, "plain"]);
    assert_eq!(eval("--engine"), eval("--backend"));
    let timed = json(&["bench", "--json", "--seconds", "0.01", "--batch", "8", "--engine=circuit"]);
    assert!(timed["circuit"].is_object() && timed["plain"].is_null());
    let help = String::from_utf8(run(&["eval", "--help"]).stdout).unwrap();
    assert!(help.contains("--backend <BACKEND>") && !help.contains("--engine"), "{help}");
}
