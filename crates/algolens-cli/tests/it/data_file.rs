//! Data that a user brings.

use algolens::task::{Dataset, SortedList};
use algolens_testing::{npy, npy_of_words, write_npz};
use ndarray::{ArrayD, IxDyn, aview1};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;
use zip::CompressionMethod;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_algolens")).args(arguments).output().unwrap()
}

fn json_of(arguments: &[&str]) -> Value {
    let output = run(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The lists that `eval` draws by itself.
fn lists() -> Dataset {
    SortedList::POST.dataset(500, 43)
}

fn tokens(data: &Dataset) -> Vec<u8> {
    npy(data.tokens().mapv(i64::from).into_dyn())
}

fn targets(data: &Dataset) -> Vec<u8> {
    npy(data.classes().unwrap().mapv(i64::from).into_dyn())
}

fn positions(positions: &[i64]) -> Vec<u8> {
    npy(aview1(positions).to_owned().into_dyn())
}

/// `.npy` files by name.
type Arrays = Vec<(&'static str, Vec<u8>)>;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, arrays: &[(&str, Vec<u8>)]) -> PathBuf {
        let path = self.0.path().join("data.npz");
        write_npz(&path, arrays, CompressionMethod::Stored);
        path
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn the_same_lists_give_the_same_numbers() {
    let (files, data) = (Files::new(), lists());
    let all: Vec<i64> = data.positions().iter().map(|position| *position as i64).collect();
    let path = files.0.path().join("data.npz");
    let drawn = json_of(&["eval", MODEL]);
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        write_npz(
            &path,
            &[("tokens", tokens(&data)), ("targets", targets(&data)), ("positions", positions(&all))],
            method,
        );
        let mut read = json_of(&["eval", MODEL, "--data", text(&path)]);
        // What was found does not depend on a task.
        assert_eq!(read["task"], Value::Null);
        read["task"] = drawn["task"].clone();
        assert_eq!(read, drawn);
    }
    // The task says what is right.
    assert_eq!(json_of(&["eval", MODEL, "--data", text(&files.write(&[("tokens", tokens(&data))]))]), drawn);
    let mean = |arguments: &[&str]| {
        json_of(&[&["ablate", MODEL, "--head", "0.1"], arguments].concat())["loss_increase"].clone()
    };
    assert_eq!(mean(&["--data", text(&path)]), mean(&[]));
}

/// One position of a list that no task has: the labels are the user's.
#[test]
fn examples_of_no_task_are_judged_and_named() {
    let files = Files::new();
    let tokens = npy(ArrayD::from_shape_vec(IxDyn(&[2, 3]), vec![3, 1, 51, 2, 2, 51]).unwrap());
    let targets = npy(ArrayD::from_shape_vec(IxDyn(&[2]), vec![1, 2]).unwrap());
    let names: Vec<String> = (0..52).map(|token| format!("n{token}")).collect();
    let labels = npy_of_words(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let path =
        files.write(&[("tokens", tokens), ("targets", targets), ("positions", positions(&[2])), ("labels", labels)]);
    let evaluation = json_of(&["eval", MODEL, "--data", text(&path)]);
    assert_eq!((&evaluation["size"], &evaluation["task_assumed"]), (&json!(2), &json!(false)));
    let shown = String::from_utf8(run(&["eval", MODEL, "--data", text(&path)]).stdout).unwrap();
    assert!(shown.contains("on 2 lists") && shown.contains("n51"), "{shown}");
    let resampled = ["ablate", MODEL, "--head", "0.0", "--method", "resample", "--data", text(&path)];
    assert!(json_of(&resampled)["loss_increase"].is_f64());
}

/// A header that would take longer to read than anybody waits.
fn nested() -> Vec<u8> {
    let (open, close) = ("[".repeat(60), "]".repeat(60));
    let header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({open}1{close},), }}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat()
}

#[test]
fn files_that_are_no_data_are_refused_on_one_line() {
    let (files, data) = (Files::new(), lists());
    let refused = |path: &Path, verb: &str| {
        let more = if verb == "ablate" { &["--head", "0.0"][..] } else { &[] };
        let output = run(&[&[verb, MODEL, "--data", text(path)], more].concat());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        said
    };
    let numbers = |shape: &[usize], number: i64| npy(ArrayD::from_elem(IxDyn(shape), number));
    let floats = {
        let mut bytes = std::io::Cursor::new(Vec::new());
        ndarray_npy::WriteNpyExt::write_npy(&ArrayD::from_elem(IxDyn(&[2, 3]), f64::NAN), &mut bytes).unwrap();
        bytes.into_inner()
    };
    let three = |more: &[(&'static str, Vec<u8>)]| [&[("tokens", numbers(&[2, 3], 1))], more].concat();
    let cases: [(Arrays, &str); 19] = [
        (vec![("targets", targets(&data))], "tokens: expected an array [example, pos], found none"),
        (vec![("tokens", floats)], "tokens: expected a .npy file of integers"),
        (vec![("tokens", nested())], "tokens: expected a whole .npy file, found a header with deep brackets"),
        (vec![("tokens", numbers(&[6], 1))], "tokens: expected two dimensions, found shape [6]"),
        (vec![("tokens", numbers(&[0, 3], 1))], "tokens: expected examples of 1 to 21 tokens, found shape [0, 3]"),
        (vec![("tokens", numbers(&[2, 22], 1))], "tokens: expected examples of 1 to 21 tokens"),
        (vec![("tokens", numbers(&[2, 3], -1))], "tokens: expected whole numbers of 0 or more, found -1"),
        (vec![("tokens", numbers(&[2, 3], 52))], "tokens, example 1, token 0: expected a number below 52, found 52"),
        (vec![("tokens", tokens(&data)[..900].to_vec())], "tokens: expected a whole .npy file"),
        (vec![("tokens", numbers(&[2, 21], 1))], "example 1: expected one of sorted_list"),
        (
            three(&[("targets", numbers(&[2], 1))]),
            "positions: expected an array, where not every position is predicted",
        ),
        (
            three(&[("targets", numbers(&[2, 3], 52))]),
            "targets, example 1, token 0: expected a number below 52, found 52",
        ),
        (
            three(&[("targets", numbers(&[2], 1)), ("positions", positions(&[3]))]),
            "positions: expected below 3, found 3",
        ),
        (three(&[("targets", numbers(&[1, 3], 1))]), "targets: expected shape [2, 3], found [1, 3]"),
        (
            three(&[("targets", numbers(&[2, 3], 1)), ("labels", npy_of_words(&["a"]))]),
            "labels: expected one for each of 52",
        ),
        (three(&[("positions", positions(&[2]))]), "positions: expected targets beside them"),
        (
            three(&[("targets", numbers(&[2, 3], 1)), ("labels", npy_of_words(&["a"; 52])[..200].to_vec())]),
            "labels: expected 52 words of 1 letters, found 72 bytes",
        ),
        (
            three(&[("targets", numbers(&[2, 3], 1)), ("labels", [npy_of_words(&["a"; 52]), vec![0; 4]].concat())]),
            "labels: expected 52 words of 1 letters, found 212 bytes",
        ),
        (
            three(&[("target", numbers(&[2, 3], 1))]),
            "an array of the data: expected tokens, targets, positions, labels",
        ),
    ];
    for (arrays, expected) in cases {
        let path = files.write(&arrays);
        for verb in ["eval", "ablate"] {
            let said = refused(&path, verb);
            assert!(said.contains(expected) && said.contains("data.npz"), "{expected}: {said}");
        }
    }
    let path = files.0.path().join("data.npz");
    std::fs::write(&path, b"no archive").unwrap();
    assert!(refused(&path, "eval").contains("data: expected NumPy's .npz"));
    assert!(refused(&files.0.path().join("none.npz"), "eval").contains("none.npz"));
}
