//! Bad input gets one line that names the thing, exit code 2, and nothing written.

use assert_cmd::Command;
use ndarray::{ArrayD, IxDyn};
use ndarray_npy::{WritableElement, WriteNpyExt};
use std::{fs, path::Path, process::Output};
use tempfile::TempDir;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
const LIST: &str = "1,2,3,4,5,6,7,8,9,10";

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::cargo_bin("algolens").unwrap().current_dir(folder).args(arguments).output().unwrap()
}

/// Runs a command that must be refused, and compares the line it says.
fn refused(folder: &Path, arguments: &[&str], expected: &str) {
    let before = names(folder);
    let output = run(folder, arguments);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
    assert!(said.starts_with("algolens: ") && said.lines().count() == 1, "{arguments:?}: {said}");
    assert!(said.contains(expected), "{arguments:?}: {said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert_eq!(names(folder), before, "{arguments:?} left something behind");
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn write_npy<A: WritableElement + Clone>(path: &Path, shape: &[usize], value: A) {
    ArrayD::from_elem(IxDyn(shape), value).write_npy(fs::File::create(path).unwrap()).unwrap();
}

#[test]
fn models_that_are_none() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("empty"), b"").unwrap();
    fs::write(folder.path().join("noise"), [7; 5000]).unwrap();
    let whole = fs::read(MODEL).unwrap();
    fs::write(folder.path().join("cut"), &whole[..whole.len() / 2]).unwrap();
    for verb in ["inspect", "eval", "ablate", "circuits", "attention", "study", "report"] {
        for (file, expected) in [
            ("none", "none: No such file"),
            (".", "Is a directory"),
            ("empty", "empty: not a readable checkpoint"),
            ("noise", "noise: not a readable checkpoint"),
            ("cut", "cut: not a readable checkpoint"),
        ] {
            refused(folder.path(), &[verb, file], expected);
        }
    }
}

#[test]
fn certificates_that_are_none() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("noise"), "{\"format\": 1}").unwrap();
    for verb in ["study", "report"] {
        refused(folder.path(), &[verb, MODEL, "--proof", "none"], "none: No such file");
        refused(
            folder.path(),
            &[verb, MODEL, "--proof", "noise"],
            "noise: certificate: expected what algolens certify writes",
        );
    }
}

#[test]
fn lists_that_are_none() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    refused(here, &["predict", MODEL, "1,1,2,3,4,5,6,7,8,9"], "list 1: expected distinct values, found 1 twice");
    refused(here, &["predict", MODEL, LIST, "1,2"], "list 2: expected 10 values, found 2");
    refused(here, &["predict", MODEL, ""], "list 1: expected 10 values, found 0");
    refused(here, &["predict", MODEL, "1,2,3,4,5,6,7,8,9,51"], "value 10 of the list: expected at most 50, found 51");
    refused(here, &["predict", MODEL, "a,b"], "list 1: expected tokens parted by commas, found \"a\"");
    refused(here, &["predict", MODEL, "--", "-1,2"], "found \"-1\"");
    refused(here, &["predict", MODEL, "99999999999999999999"], "found \"99999999999999999999\"");
    refused(here, &["predict", MODEL, "-"], "lists: expected at least one, found 0");
    let mut stdin = Command::cargo_bin("algolens").unwrap();
    let output = stdin.args(["predict", MODEL, "-"]).write_stdin(format!("{LIST}\n3 x 4\n")).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "algolens: line 2 of the standard input: expected tokens parted by commas, found \"x\"\n");
    let mut long = Command::cargo_bin("algolens").unwrap();
    let output = long.args(["predict", MODEL, "-"]).write_stdin("1,".repeat(1 << 20)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(said, "algolens: line 1 of the standard input: expected fewer than 1048576 bytes, found more\n");
}

#[test]
fn numbers_that_are_out_of_range() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    refused(here, &["eval", MODEL, "--size", "0"], "number of examples: expected 1 to");
    refused(here, &["eval", MODEL, "--size", "99999999999"], "number of examples: expected 1 to");
    refused(here, &["dataset", "--list-len", "60"], "list_len: expected 1 to 51");
    refused(here, &["dataset", "--max-value", "99999"], "max_value: expected at most");
    refused(here, &["ablate", MODEL], "expected a part (--head");
    refused(here, &["ablate", MODEL, "--head", "0.2"], "head: expected 0.0 to 0.1, found 0.2");
    refused(here, &["ablate", MODEL, "--head", "0.0", "--head", "0.0"], "found head 0.0 twice");
    refused(here, &["ablate", MODEL, "--head", "0.0", "--at", "21"], "position: expected below 21, found 21");
    refused(
        here,
        &["ablate", MODEL, "--head", "0.0", "--at", "3,3"],
        "positions: expected distinct ones, found 3 twice",
    );
    refused(here, &["ablate", MODEL, "--head", "0.1@21"], "position: expected below 21, found 21");
    refused(here, &["ablate", MODEL, "--mlp", "0"], "MLP: expected a model that has MLPs, found none");
    refused(here, &["ablate", MODEL, "--point", "blocks.3.attn.hook_z"], "no hook point is called");
    refused(here, &["ablate", MODEL, "--point", "blocks.0.attn.hook_z.2"], "hook_z: expected below 2, found 2");
    refused(here, &["ablate", MODEL, "--point", "hook_embed.1"], "hook_embed: expected no head");
    refused(here, &["circuits", MODEL, "--layer", "1"], "layer: expected below 1, found 1");
    for (flag, asked, expected) in [
        ("--show-tokens", "52", "--show-tokens: expected names, numbers below 52, or runs such as 0..9, found \"52\""),
        ("--show-tokens", "9..3", "found \"9..3\""),
        ("--show-tokens", "", "found \"\""),
        ("--show-tokens", "3,0..9", "token to show: expected each once, found 3 twice"),
        ("--show-classes", "x", "--show-classes: expected names, numbers below 52"),
    ] {
        for verb in ["circuits", "study", "report"] {
            refused(here, &[verb, MODEL, flag, asked], expected);
        }
    }
    refused(here, &["qk", MODEL, "--dest", "52"], "--dest: expected a token below 52, or its name, found 52");
    refused(here, &["scores", MODEL, LIST, "--query", "21"], "--query: expected a position below 21");
    refused(here, &["scores", MODEL, LIST, "--head", "1.0"], "head: expected 0.0 to 0.1, found 1.0");
    refused(here, &["attribute", MODEL, LIST, "--after", "10"], "--after: expected a token of the answer");
    refused(
        here,
        &["attribute", MODEL, LIST, "--at", "20"],
        "--at: expected one of the predicted positions (10 to 19)",
    );
    refused(here, &["--threads", "0", "eval", MODEL], "--threads: expected 1 to");
}

#[test]
fn reports_that_cannot_be_made() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    fs::write(here.join("log"), "{\"epoch\": 1}\n").unwrap();
    fs::write(here.join("noise"), [200; 50]).unwrap();
    refused(here, &["report", MODEL, "--log", "none"], "none: No such file");
    refused(here, &["report", MODEL, "--log", "log"], "log: line 1: expected an epoch as JSON, found missing field");
    refused(here, &["report", MODEL, "--log", "noise"], "noise: log: expected text");
    refused(here, &["report", MODEL, "--list", "1,2"], "list 1: expected 10 values, found 2");
    refused(here, &["report", MODEL, "--others", "noise"], "noise: not a readable checkpoint");
    fs::copy(MODEL, here.join("copy")).unwrap();
    for verb in ["report", "study"] {
        refused(
            here,
            &[verb, MODEL, "--others", "copy"],
            "copy: model of another seed: expected other weights, found those of",
        );
    }
    refused(here, &["report", MODEL, "--study-size", "0"], "number of examples: expected 1 to");
    let small = ["train", "--quiet", "--list-len", "3", "--max-value", "6", "--train-size", "9", "--epochs", "1"];
    assert!(run(here, &[&small[..], &["--validation-size", "9", "--out", "small"]].concat()).status.success());
    refused(here, &["report", MODEL, "--others", "small"], "small: ");
    refused(here, &["study", "--n-layers", "2", "--certify"], "n_layers: expected 1, for proofs, found 2");
    let kept = fs::read(here.join("small")).unwrap();
    refused(here, &["report", "small", "--out", "small"], "--out: expected a file of its own, found small");
    assert_eq!(fs::read(here.join("small")).unwrap(), kept);
    assert_eq!(names(here).iter().filter(|name| name.ends_with(".html")).count(), 0);
}

#[test]
fn flags_that_contradict() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    refused(
        here,
        &["inspect", MODEL, "--normalization", "none"],
        "normalization_type: expected the file's LN, found none",
    );
    refused(here, &["eval", MODEL, "--eps", "0.1"], "eps: expected the file's 0.00001, found 0.1");
    refused(here, &["study", MODEL, "--seed", "3"], "found --seed");
    refused(here, &["train", "--out", "m", "--eps", "1e-60"], "eps: expected a positive number");
    let clash = run(here, &["study", MODEL, "--resume"]);
    assert_eq!(clash.status.code(), Some(2));
}

#[test]
fn parts_of_a_model_that_cannot_be_read() {
    for (flag, text, why) in [
        ("--head", "0", "head: expected layer.head, such as 0.1, found 0"),
        ("--head", "0.1@3,x", "positions: expected numbers parted by commas, found 3,x"),
        ("--mlp", "0@", "positions: expected numbers parted by commas"),
        (
            "--point",
            "blocks.0.attn.hook_y.1",
            "no hook point is called \"blocks.0.attn.hook_y\"; near it: blocks.0.attn",
        ),
    ] {
        let output = run(Path::new("."), &["ablate", MODEL, flag, text]);
        let said = String::from_utf8(output.stderr).unwrap();
        let line = said.lines().next().unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(
            line.starts_with(&format!("error: invalid value '{text}' for '{flag}")) && line.contains(why),
            "{said}"
        );
    }
}

/// The library speaks of values; the command line adds the flag.
#[test]
fn flags_that_are_missing() {
    use algolens::model::{
        Config, Model,
        checkpoint::{Checkpoint, Hints},
    };
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    // As other programs write safetensors: no header of ours, no mask; and of sizes that no task has.
    let model = Model::init(Config { n_ctx: 20, ..Config::default() }, 0).unwrap();
    let ours = Checkpoint { model, task: None }.to_bytes().unwrap();
    let header = u64::from_le_bytes(ours[..8].try_into().unwrap()) as usize;
    let mut tensors: serde_json::Value = serde_json::from_slice(&ours[8..8 + header]).unwrap();
    tensors.as_object_mut().unwrap().remove("__metadata__");
    let tensors = serde_json::to_vec(&tensors).unwrap();
    let theirs = [&(tensors.len() as u64).to_le_bytes()[..], &tensors, &ours[8 + header..]].concat();
    fs::write(here.join("m"), theirs).unwrap();
    let expected = "algolens: m: whether attention is causal (there is no mask) cannot be read off the checkpoint: say it \
                    with --attention causal|bidirectional\n";
    for verb in ["eval", "study", "report"] {
        refused(here, &[verb, "m"], expected);
    }
    let error = Checkpoint::open(&here.join("m"), &Hints::default()).unwrap_err();
    assert!(!error.to_string().contains("--"), "{error}");
    let inspect = ["inspect", "m", "--attention", "causal"];
    assert_eq!(run(here, &inspect).status.code(), Some(0));
    let python = [&inspect[..], &["--as", "transformerlens"]].concat();
    refused(here, &python, "algolens: --save: expected a file to write, as MODEL is none of our own, found none\n");
}

#[test]
fn no_library_names_a_flag() {
    for library in ["algolens-core", "algolens-interpret", "algolens-check", "algolens-prove", "algolens-report"] {
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(library).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|end| end == "rs") {
                    let text = fs::read_to_string(&entry).unwrap();
                    let named = text.lines().find(|line| !line.trim().starts_with("//") && names_a_flag(line));
                    assert_eq!(named, None, "{}", entry.display());
                }
            }
        }
    }
}

/// Whether a string in a line of code has two dashes before a letter, at its beginning or after a blank or a bracket.
fn names_a_flag(line: &str) -> bool {
    line.match_indices("--").any(|(at, _)| {
        line[..at].ends_with(['"', ' ', '('])
            && line[..at].contains('"')
            && line[at + 2..].starts_with(|c: char| c.is_ascii_lowercase())
    })
}

#[test]
fn token_files_that_are_none() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    write_npy(&here.join("float.npy"), &[1, 3], 1.0_f64);
    write_npy(&here.join("flat.npy"), &[3], 1_i64);
    write_npy(&here.join("empty.npy"), &[0, 3], 1_i64);
    write_npy(&here.join("negative.npy"), &[1, 3], -1_i64);
    write_npy(&here.join("unknown.npy"), &[1, 3], 52_i32);
    write_npy(&here.join("long.npy"), &[1, 22], 1_u8);
    write_npy(&here.join("right.npy"), &[1, 3], 1_i8);
    let whole = fs::read(here.join("flat.npy")).unwrap();
    fs::write(here.join("cut.npy"), &whole[..whole.len() - 5]).unwrap();
    let huge = String::from_utf8_lossy(&whole).replace("(3,)", "(1152921504606846976, 3)");
    fs::write(here.join("huge.npy"), huge.as_bytes()).unwrap();
    for (file, expected) in [
        ("float.npy", "float.npy: expected a .npy file of integers"),
        ("flat.npy", "flat.npy: expected two dimensions, [batch, pos], found shape [3]"),
        ("empty.npy", "at least one token"),
        ("negative.npy", "found -1"),
        ("unknown.npy", "token 0: expected a number below 52, found 52"),
        ("long.npy", "sequence: expected 1 to 21 tokens, found 22"),
        ("cut.npy", "cut.npy: expected"),
        ("huge.npy", "huge.npy: expected"),
    ] {
        refused(here, &["cache", MODEL, "--tokens", file, "--out", "c.npz"], expected);
    }
    refused(
        here,
        &["cache", MODEL, "--tokens", "right.npy", "--out", "c.npz", "--only", "hook_patern"],
        "hook_pattern",
    );
    refused(here, &["cache", MODEL, "--tokens", "right.npy", "--out", "none/c.npz"], "there is no folder none");
    assert_eq!(run(here, &["cache", MODEL, "--tokens", "right.npy", "--out", "c.npz"]).status.code(), Some(0));
}

#[test]
fn places_that_cannot_be_written() {
    let folder = TempDir::new().unwrap();
    let here = folder.path();
    fs::write(here.join("file"), b"kept").unwrap();
    fs::create_dir(here.join("folder")).unwrap();
    refused(here, &["circuits", MODEL, "--out", "folder"], "folder: Is a directory");
    refused(here, &["circuits", MODEL, "--out", "none/c.npz"], "there is no folder none");
    refused(here, &["study", MODEL, "--out", "file/study"], "file/study: Not a directory");
    refused(here, &["study", MODEL, "--out", "file"], "file: ");
    refused(here, &["train", "--out", "folder"], "--out: expected a file");
    refused(here, &["report", MODEL, "--out", "folder"], "--out: expected a file");
    refused(here, &["report", MODEL, "--out", "none/report.html"], "there is no folder none");
    let figures = |folder| ["report", MODEL, "--figures", folder];
    refused(here, &figures("file"), "file: ");
    refused(here, &figures("file/figures"), "file/figures: Not a directory");
    let clash = run(here, &[&figures("folder")[..], &["--json"]].concat());
    assert_eq!(clash.status.code(), Some(2));
    refused(here, &["train", "--out", "none/m", "--checkpoint-every", "9"], "there is no folder none");
    assert_eq!(fs::read(here.join("file")).unwrap(), b"kept");
    assert!(names(&here.join("folder")).is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_what_was_there() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("circuits.npz");
    fs::write(&out, b"kept").unwrap();
    // A file size limit stands in for a full disk: writing fails half-way.
    let limited = "ulimit -f 8; trap '' XFSZ; exec \"$@\"";
    let algolens = assert_cmd::cargo::cargo_bin("algolens");
    let mut command = std::process::Command::new("sh");
    let command = command.args(["-c", limited, "sh"]).arg(&algolens).args(["circuits", MODEL, "--out"]).arg(&out);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
    assert_eq!(fs::read(&out).unwrap(), b"kept");
    assert_eq!(names(folder.path()), ["circuits.npz"]);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(&algolens).args(["dataset"]).stdout(full).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(said.starts_with("algolens: standard output: ") && said.lines().count() == 1, "{said}");
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let algolens = assert_cmd::cargo::cargo_bin("algolens");
    let script = format!("{} dataset --size 20000 | head -1; exit ${{PIPESTATUS[0]}}", algolens.display());
    let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap()), (Some(0), String::new()));
}
