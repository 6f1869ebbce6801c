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
    assert!(shown.contains("on 2 examples") && shown.contains("n51"), "{shown}");
    let resampled = ["ablate", MODEL, "--head", "0.0", "--method", "resample", "--data", text(&path)];
    assert!(json_of(&resampled)["loss_increase"].is_f64());
}

/// A header that would take longer to read than anybody waits.
fn nested() -> Vec<u8> {
    let (open, close) = ("[".repeat(60), "]".repeat(60));
    let header = format!("{{'descr': '<i8', 'fortran_order': False, 'shape': ({open}1{close},), }}\n");
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat()
}

/// What `numpy.save` makes of an array of lists of different lengths: pickled objects.
fn ragged() -> Vec<u8> {
    let header = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n";
    [b"\x93NUMPY\x01\x00".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes(), &[0x80, 4, b'.']]
        .concat()
}

/// Lists of which only some positions count, in ways that come to the same.
#[test]
fn weights_padding_and_parts_say_what_is_judged() {
    let (files, data) = (Files::new(), lists());
    let at: Vec<i64> = data.positions().iter().map(|position| *position as i64).collect();
    let with = |more: &[(&'static str, Vec<u8>)]| {
        let arrays = [("tokens", tokens(&data)), ("targets", targets(&data)), ("positions", positions(&at))];
        json_of(&["eval", MODEL, "--data", text(&files.write(&[&arrays, more].concat()))])
    };
    let whole = with(&[]);
    // All alike, whatever they are.
    for number in [1.0, 0.25] {
        assert_eq!(with(&[("weights", npy(ArrayD::from_elem(IxDyn(&[500, 10]), number)))]), whole);
    }
    // The first three positions alone, and all ten of which the others count 0.
    let mut first = ndarray::Array2::<f32>::zeros((500, 10));
    first.slice_mut(ndarray::s![.., ..3]).fill(2.0);
    let three = data.classes().unwrap().slice(ndarray::s![.., ..3]).mapv(i64::from).into_dyn();
    let arrays = [("tokens", tokens(&data)), ("targets", npy(three)), ("positions", positions(&at[..3]))];
    let alone = json_of(&["eval", MODEL, "--data", text(&files.write(&arrays))]);
    for key in ["size", "loss", "token_accuracy", "list_accuracy", "median_prob", "min_prob"] {
        assert_eq!(with(&[("weights", npy(first.clone().into_dyn()))])[key], alone[key], "{key}");
    }
    assert_ne!(alone["loss"], whole["loss"]);
    // Predictions at padding: SEP stands at the first predicted position only.
    let mut after = ndarray::Array2::<f32>::ones((500, 10));
    after.column_mut(0).fill(0.0);
    assert_eq!(
        with(&[("padding", npy(ArrayD::from_elem(IxDyn(&[]), 51_i64)))]),
        with(&[("weights", npy(after.into_dyn()))])
    );
    // The part that is there to judge by, by name or by number.
    let names: Vec<&str> = (0..500).map(|at| if at % 5 == 0 { "test" } else { "train" }).collect();
    let numbers: Vec<i64> = (0..500).map(|at| if at % 5 == 0 { 2 } else { 0 }).collect();
    let [by_name, by_number] = [npy_of_words(&names), positions(&numbers)].map(|split| with(&[("split", split)]));
    assert_eq!((&by_name["size"], &by_name), (&json!(100), &by_number));
    let said = run(&["eval", MODEL, "--data", text(&files.0.path().join("data.npz")), "--json"]).stderr;
    let said = String::from_utf8(said).unwrap();
    assert!(
        said.contains("data.npz: 100 of 500 examples, those of the part test") && said.lines().count() == 1,
        "{said}"
    );
}

/// Sets of one class, and distributions that are sure, are classes.
#[test]
fn sets_and_distributions_of_one_class_are_judged_as_that_class() {
    let (files, data) = (Files::new(), lists());
    let classes = data.classes().unwrap();
    let is_right = |(list, at, class): (usize, usize, usize)| classes[[list, at]] as usize == class;
    let sets = ndarray::Array3::from_shape_fn((500, 10, 52), is_right);
    let sure = sets.mapv(|right| f32::from(u8::from(right)));
    let at: Vec<i64> = data.positions().iter().map(|position| *position as i64).collect();
    let drawn = json_of(&["eval", MODEL]);
    let targets = npy(classes.mapv(i64::from).into_dyn());
    let path = files.write(&[("tokens", tokens(&data)), ("targets", targets), ("positions", positions(&at))]);
    let of_classes = json_of(&["predict", MODEL, "--data", text(&path)]);
    for right in [npy(sets.into_dyn()), npy(sure.into_dyn())] {
        let path = files.write(&[("tokens", tokens(&data)), ("targets", right), ("positions", positions(&at))]);
        let found = json_of(&["eval", MODEL, "--data", text(&path)]);
        for key in ["loss", "mean_prob", "token_accuracy", "list_accuracy"] {
            let off = found[key].as_f64().unwrap() - drawn[key].as_f64().unwrap();
            assert!(off.abs() < 1e-6, "{key}: {off}");
        }
        let predicted = json_of(&["predict", MODEL, "--data", text(&path)]);
        for (found, expected) in predicted.as_array().unwrap().iter().zip(of_classes.as_array().unwrap()) {
            for key in ["tokens", "expected", "predicted", "right", "right_at"] {
                assert_eq!(found[key], expected[key], "{key}");
            }
            let probs = |list: &Value| -> Vec<f64> { serde_json::from_value(list["prob_expected"].clone()).unwrap() };
            assert!(probs(found).iter().zip(probs(expected)).all(|(a, b)| (a - b).abs() < 1e-6));
        }
    }
}

/// The verbs that look at one example take one of a file, and need no answer.
#[test]
fn one_example_of_a_file_is_looked_at() {
    let (files, data) = (Files::new(), lists());
    let at: Vec<i64> = data.positions().iter().map(|position| *position as i64).collect();
    let names: Vec<String> = (0..52).map(|token| format!("n{token}")).collect();
    let labels = npy_of_words(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let arrays =
        [("tokens", tokens(&data)), ("targets", targets(&data)), ("positions", positions(&at)), ("labels", labels)];
    let path = files.write(&arrays);
    let bare = files.0.path().join("tokens.npy");
    std::fs::write(&bare, tokens(&data)).unwrap();
    let list: Vec<String> = data.tokens().row(6).iter().take(10).map(ToString::to_string).collect();
    let list = list.join(",");
    for verb in ["scores", "attribute"] {
        let mut given = json_of(&[verb, MODEL, &list]);
        let found = json_of(&[verb, MODEL, "--data", text(&path), "--example", "7"]);
        assert_eq!(found["task"], Value::Null);
        given["task"] = Value::Null;
        assert_eq!(found, given, "{verb}");
        let without = json_of(&[verb, MODEL, "--tokens", text(&bare), "--example", "7"]);
        match verb {
            "scores" => assert_eq!(without["terms"], given["terms"]),
            // Every position is looked at: the predicted ones are the last but one.
            _ => {
                let of = |found: &Value, at: usize| found["contributions"][0][0][at].clone();
                assert!(of(&given, 0).is_array());
                assert_eq!(of(&without, 10), of(&given, 0));
            }
        }
        let more: &[&str] = if verb == "scores" { &[] } else { &["--sources", "0.1"] };
        let shown = run(&[&[verb, MODEL, "--data", text(&path)], more].concat());
        let shown = String::from_utf8(shown.stdout).unwrap();
        assert!(shown.contains("n51 (10)"), "{shown}");
        let said = String::from_utf8(run(&[verb, MODEL, "--data", text(&path), "--example", "501"]).stderr).unwrap();
        assert_eq!(said, "algolens: --example: expected 1 to 500, found 501\n");
        assert_eq!(run(&[verb, MODEL]).status.code(), Some(2));
    }
    let (given, found) = (["predict", MODEL, &list], ["predict", MODEL, "--data", text(&path)]);
    assert_eq!(json_of(&given)[0], json_of(&found)[6]);
    let averaged = |dest| ["qk", MODEL, "--dest", dest, "--effective"];
    let drawn = json_of(&[&averaged("25")[..], &["--size", "500"]].concat());
    for dest in ["25", "n25"] {
        assert_eq!(json_of(&[&averaged(dest)[..], &["--data", text(&path)]].concat()), drawn);
    }
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
    let three = |more: &[(&'static str, Vec<u8>)]| [&[("tokens", numbers(&[2, 3], 1))], more].concat();
    let right = |more: &[(&'static str, Vec<u8>)]| three(&[&[("targets", numbers(&[2, 3], 1))], more].concat());
    let weighted = |weights: Vec<u8>| right(&[("weights", weights)]);
    let bools = |shape: &[usize], is: bool| npy(ArrayD::from_elem(IxDyn(shape), is));
    let reals = |shape: &[usize], number: f64| npy(ArrayD::from_elem(IxDyn(shape), number));
    let words = npy_of_words;
    let cases: Vec<(Arrays, &str)> = vec![
        (vec![("targets", targets(&data))], "tokens: expected an array [example, pos], found none"),
        (vec![("tokens", reals(&[2, 3], f64::NAN))], "tokens: expected a .npy file of integers, found floats"),
        (
            vec![("tokens", ragged())],
            "tokens: expected a .npy file of numbers, found objects, as of rows of different lengths",
        ),
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
            "an array of the data: expected tokens, targets, positions, weights, labels, output_labels, split, padding",
        ),
        (three(&[("targets", bools(&[2, 3, 51], true))]), "classes of the targets: expected 52, found 51"),
        (
            three(&[("targets", bools(&[2, 3, 52], false))]),
            "target 1 of example 1: expected at least one right class, found none",
        ),
        (three(&[("targets", bools(&[2, 3], true))]), "classes of the targets: expected 52, found 3"),
        (three(&[("targets", numbers(&[2, 3, 52], 1))]), "targets: expected two dimensions, found shape [2, 3, 52]"),
        (
            three(&[("targets", reals(&[2, 3, 52], 0.01))]),
            "target 1 of example 1: expected probabilities that sum to 1 (within 1e-4), found a sum of 0.52",
        ),
        (
            three(&[("targets", reals(&[2, 3, 52], f64::NAN))]),
            "target 1 of example 1: expected probabilities of 0 or more, found NaN",
        ),
        (three(&[("targets", ragged())]), "targets: expected a .npy file of numbers, found objects"),
        (weighted(reals(&[2, 2], 1.0)), "weights: expected shape [2, 3], found [2, 2]"),
        (weighted(reals(&[2, 3], -1.0)), "weight 1 of example 1: expected a number of 0 or more, found -1"),
        (weighted(reals(&[2, 3], f64::NAN)), "weight 1 of example 1: expected a number of 0 or more, found NaN"),
        (weighted(reals(&[2, 3], 0.0)), "weights: expected a prediction that counts more than 0, found none"),
        (weighted(words(&["a"])), "weights: expected a .npy file of numbers"),
        (three(&[("weights", reals(&[2, 3], 1.0))]), "weights: expected targets beside them"),
        (right(&[("padding", numbers(&[], 52))]), "padding: expected a number below 52, found 52"),
        (right(&[("padding", numbers(&[2], 1))]), "padding: expected one token, found shape [2]"),
        (right(&[("padding", numbers(&[1], 1))]), "weights: expected a prediction that counts more than 0, found none"),
        (right(&[("output_labels", words(&["a"]))]), "output_labels: expected one for each of 52 classes, found 1"),
        (right(&[("split", words(&["train"]))]), "split: expected one for each of 2 examples, found 1"),
        (
            right(&[("split", words(&["train", "dev"]))]),
            "split of example 2: expected train, validation or test (or 0, 1, 2), found dev",
        ),
        (
            right(&[("split", numbers(&[2], 3))]),
            "split of example 1: expected train, validation or test (or 0, 1, 2), found 3",
        ),
        (
            right(&[("split", reals(&[2], 0.5))]),
            "split: expected train, validation or test (or 0, 1, 2) for each example",
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
    // What the directory claims that an array holds: far more, and less.
    let claims = [
        (u32::MAX / 2, "tokens: expected at most 268435456 bytes in all arrays, found more"),
        (8, "data: expected NumPy's .npz, found File is larger than its declared uncompressed size"),
    ];
    for (claimed, expected) in claims {
        let mut bytes = std::fs::read(files.write(&three(&[]))).unwrap();
        let at = bytes.windows(4).position(|window| window == b"PK\x01\x02").unwrap() + 24;
        bytes[at..at + 4].copy_from_slice(&claimed.to_le_bytes());
        std::fs::write(&path, bytes).unwrap();
        let said = refused(&path, "eval");
        assert!(said.contains(expected), "{expected}: {said}");
    }
    std::fs::write(&path, b"no archive").unwrap();
    assert!(refused(&path, "eval").contains("data: expected NumPy's .npz"));
    assert!(refused(&files.0.path().join("none.npz"), "eval").contains("none.npz"));
}
