//! `algolens certify`, `check` and `attack` from outside.

use serde_json::Value;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

fn run(arguments: &[&str]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("algolens")).args(arguments).arg("--quiet").output().unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Exit code 2 and one line that says this.
fn refused(arguments: &[&str], expected: &str) {
    let output = run(arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(2) && said.lines().count() == 1 && said.contains(expected), "{said}");
}

/// A folder with a small model that was trained little.
fn model() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let model = text(&folder.path().join("small.safetensors"));
    #[rustfmt::skip]
    stdout(&run(&[
        "train", "--out", &model, "--list-len", "4", "--max-value", "9", "--d-model", "16", "--d-head", "8", "--epochs", "3",
        "--train-size", "2000", "--validation-size", "100", "--batch-size", "32", "--lr-start", "0.01",
    ]));
    (folder, model)
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A certificate without how long it took, and by which command.
fn certificate(path: &str) -> Value {
    let mut certificate: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    certificate["seconds"] = Value::Null;
    let made_by = certificate["provenance"]["made_by"].take();
    assert!(made_by.as_str().is_some_and(|command| command.starts_with("algolens certify ")), "{made_by}");
    certificate
}

#[test]
fn the_same_work_gives_the_same_certificate_in_one_go_or_two_on_any_number_of_threads() {
    let (folder, model) = model();
    let out = |name: &str| text(&folder.path().join(name));
    let certify =
        |out: &str, more: &[&str]| stdout(&run(&[&["certify", &model, "--lists", "--out", out], more].concat()));
    certify(&out("one.json"), &["--work", "30000", "--threads", "1"]);
    certify(&out("two.json"), &["--work", "9000", "--threads", "2"]);
    certify(&out("two.json"), &["--work", "30000", "--resume"]);
    assert_eq!(certificate(&out("one.json")), certificate(&out("two.json")));
}

#[test]
fn a_certificate_is_checked_and_a_forged_one_refused() {
    let (folder, model) = model();
    let path = |name: &str| text(&folder.path().join(name));
    let (good, forged) = (path("good.json"), path("forged.json"));
    let said = stdout(&run(&["certify", &model, "--work", "30000", "--lists", "--out", &good]));
    assert!(said.contains("certified: right on every list") && said.contains("safe inputs"), "{said}");
    let said = stdout(&run(&["check", &good, &model]));
    assert!(said.contains("proved: for the weights of the file") && said.contains("measured: on 2048 lists"), "{said}");
    let processed = path("processed.json");
    stdout(&run(&["certify", &model, "--work", "5000", "--processed", "--out", &processed]));
    assert!(stdout(&run(&["check", &processed, &model])).contains("proved: for the processed weights"));
    let tampered = |tamper: &dyn Fn(&mut Value), expected: &str| {
        let mut certificate: Value = serde_json::from_slice(&fs::read(&good).unwrap()).unwrap();
        tamper(&mut certificate);
        fs::write(&forged, certificate.to_string()).unwrap();
        refused(&["check", &forged, &model], expected);
    };
    tampered(&|c| c["token_accuracy"]["lower"] = 1.1.into(), "token_accuracy's lower bound");
    tampered(&|c| _ = c["class_status"].as_array_mut().unwrap().pop(), "class_status");
    tampered(&|c| c["class_status"][3]["share"] = 0.25.into(), "share");
    tampered(&|c| c["evidence"] = "AAAA".into(), "evidence");
    refused(&["check", &model, &model], "what algolens certify writes");
    refused(&["check", &good, concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors")], "SHA-256");
    refused(&["certify", &model, "--slack", "0", "--out", &good], "--slack");
    fs::write(path("good.json.state"), b"no state").unwrap();
    refused(&["certify", &model, "--resume", "--out", &good], "good.json.state");
}

/// Where the largest value is asked for, the bracket holds the count of all inputs, and the checker says the same.
#[test]
fn the_largest_value_is_certified_as_all_inputs_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| text(&folder.path().join(name));
    let (model, certificate) = (path("model.safetensors"), path("certificate.json"));
    let task = "max_of_list(len=4,max=9)";
    let sizes = ["--epochs", "1", "--train-size", "30000", "--validation-size", "500", "--batch-size", "256"];
    stdout(&run(&[&["train", "--task", task, "--out", &model], &sizes[..]].concat()));
    let all: Value = serde_json::from_str(&stdout(&run(&["eval", &model, "--all", "--json"]))).unwrap();
    let said = stdout(&run(&["certify", &model, "--work", "3000000", "--lists", "--out", &certificate]));
    assert!(said.contains("certified: right on every list"), "{said}");
    let checked: Value = serde_json::from_str(&stdout(&run(&["check", &certificate, &model, "--json"]))).unwrap();
    for (accuracy, counted) in [("token_accuracy", "token_accuracy"), ("list_accuracy", "accuracy")] {
        let [lower, upper] = ["lower", "upper"].map(|bound| checked["proved"][accuracy][bound].as_f64().unwrap());
        let counted = all[counted].as_f64().unwrap();
        assert!(lower <= counted && counted <= upper && upper - lower < 0.005, "{counted} in {lower} to {upper}");
    }
    let other = path("other.json");
    stdout(&run(&["certify", &model, "--work", "1000", "--out", &other]));
    // What decides where there is no proof is named, and done when told.
    let deep = path("deep.safetensors");
    let palindromes = "palindrome(half_length=2,max_value=3)";
    stdout(&run(&[&["train", "--task", palindromes, "--out", &deep], &sizes[..]].concat()));
    refused(
        &["certify", &deep, "--out", &other],
        "task: expected sorted_list or max_of_list, for proofs, found palindrome; `algolens eval MODEL --all` decides all, by running 256 inputs",
    );
    assert!(stdout(&run(&["certify", &deep, "--instead"])).contains("of all 256 inputs, exact"));
}

#[test]
fn a_killed_search_goes_on() {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
    let folder = tempfile::tempdir().unwrap();
    let out: PathBuf = folder.path().join("cert.json");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin!("algolens"))
        .args(["certify", model, "--budget", "1h", "--quiet", "--out"])
        .arg(&out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !folder.path().join("cert.json.state").exists() {
        assert!(began.elapsed() < Duration::from_secs(60), "no state was saved in a minute");
        std::thread::sleep(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!out.exists());
    stdout(&run(&["certify", model, "--budget", "1s", "--resume", "--out", &text(&out)]));
    assert!(out.exists());
}

#[test]
fn attacks_are_shown_and_proved() {
    let (_folder, model) = model();
    let attack = |more: &[&str]| stdout(&run(&[&["attack", &model], more].concat()));
    let found: Value = serde_json::from_str(&attack(&["--json", "--count", "2"])).unwrap();
    let [first, second] = [0, 1].map(|at| found["found"][at]["margin"].as_f64().unwrap());
    assert!(first <= second && (found["proved"].as_f64().unwrap() - first).abs() < 1e-5);
    assert!(
        attack(&["--position", "2", "--min-gap", "3", "--values", "1..8"]).contains("proved: no list that may be used")
    );
    let families = attack(&["--families"]);
    assert!(families.contains("gap 1 ") && families.contains("position 3") && families.contains("descending order"));
    refused(&["attack", &model, "--values", "1..3"], "--values: expected at least 4 values, found 3");
    refused(&["attack", &model, "--position", "4"], "--position: expected below 4, found 4");
    refused(&["attack", &model, "--min-gap", "9", "--position", "3"], "restrictions");
    refused(&["attack", &model, "--near", "1,2"], "list: expected 4 values, found 2");
}

#[test]
fn a_study_says_where_it_comes_from() {
    let (folder, model) = model();
    let out = text(&folder.path().join("study"));
    stdout(&run(&["study", &model, "--out", &out, "--study-size", "20", "--study-seed", "7", "--vectors", "scalar"]));
    let read = |name: &str| fs::read_to_string(Path::new(&out).join(name)).unwrap();
    let origin = serde_json::from_str::<Value>(&read("results.json")).unwrap()["provenance"].take();
    let counted = serde_json::from_str::<Value>(&stdout(&run(&["eval", &model, "--all", "--json"]))).unwrap();
    assert_eq!([&origin["sha256"], &origin["algolens"]], [&counted["sha256"], &counted["algolens"]]);
    assert_eq!((&origin["vectors"], &origin["seed"]), (&"scalar".into(), &7.into()));
    let command = format!("algolens study {model} --out {out} --study-size 20 --study-seed 7 --vectors scalar --quiet");
    assert_eq!(origin["made_by"], command);
    assert!(read("report.html").contains(&command));
}
