//! Models of a file's examples.

use algolens::task::{Dataset, SortedList};
use algolens_testing::{npy, npy_of_words, write_npz};
use ndarray::{Array3, ArrayD, IxDyn, aview1};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;
use zip::CompressionMethod;

/// A model and a training of seconds.
const SMALL: &str = "--d-model 16 --d-head 8 --epochs 10 --batch-size 32 --lr-start 1e-2 --lr-end 1e-3 --no-color";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_algolens")).args(arguments).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// `.npy` files by name.
type Arrays = Vec<(&'static str, Vec<u8>)>;

/// A folder with data and what is trained on it.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes the examples of lists of three values of 0 to 9, and more arrays.
    fn write(&self, name: &str, data: &Dataset, more: &[(&str, Vec<u8>)]) -> String {
        let positions: Vec<i64> = data.positions().iter().map(|position| *position as i64).collect();
        let arrays = [
            ("tokens", npy(data.tokens().mapv(i64::from).into_dyn())),
            ("positions", npy(aview1(&positions).to_owned().into_dyn())),
        ];
        write_npz(Path::new(&self.path(name)), &[&arrays, more].concat(), CompressionMethod::Stored);
        self.path(name)
    }

    fn train(&self, data: &str, more: &[&str]) -> Output {
        let (out, small) = (self.path("model.safetensors"), SMALL.split(' ').collect::<Vec<_>>());
        run(&[&["train", "--out", &out, "--data", data], &small[..], more].concat())
    }

    fn refused(&self, data: &str, more: &[&str]) -> String {
        let output = self.train(data, more);
        let said = text(output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(2), 1), "{said}");
        said
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files: Vec<_> = std::fs::read_dir(self.0.path()).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }
}

fn data() -> Dataset {
    SortedList::new(3, 9).unwrap().dataset(600, 1)
}

fn classes(data: &Dataset) -> (&'static str, Vec<u8>) {
    ("targets", npy(data.classes().unwrap().mapv(i64::from).into_dyn()))
}

fn eval(model: &str, data: &str) -> Value {
    let output = run(&["eval", model, "--data", data, "--json"]);
    assert!(output.status.success(), "{}", text(output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_model_learns_the_examples_of_a_file_and_its_files_say_which() {
    let (folder, data) = (Folder::new(), data());
    let file = folder.write("data.npz", &data, &[classes(&data)]);
    let output = folder.train(&file, &["--checkpoint-every", "20"]);
    let said = text(output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("learns from 540 examples of data.npz, validates on 60"), "{said}");
    let model = folder.path("model.safetensors");
    let found = eval(&model, &file);
    // The commonest class is right in less than a fifth.
    assert!(found["token_accuracy"].as_f64().unwrap() > 0.6, "{found}");
    assert_eq!((&found["task"], &found["size"]), (&Value::Null, &json!(600)));
    // Ten classes that are the largest token's and those below it: no task has them.
    let shown = text(run(&["inspect", &model]).stdout);
    assert!(!shown.contains("sorted_list"), "{shown}");

    let finished = folder.train(&file, &["--checkpoint-every", "20", "--resume"]);
    assert!(text(finished.stdout).contains("training is finished; nothing to do"));
    let other = folder.write("data.npz", &SortedList::new(3, 9).unwrap().dataset(600, 2), &[classes(&data)]);
    let said = folder.refused(&other, &["--resume"]);
    assert!(said.contains("model.safetensors.state: data: expected data.npz (SHA-256 "), "{said}");
    assert!(said.contains("as the run began with, found data.npz (SHA-256 "), "{said}");
    let small: Vec<&str> = SMALL.split(' ').collect();
    let output = run(&[&["train", "--out", &model, "--resume"], &small[..]].concat());
    let said = text(output.stderr);
    assert!(said.contains("task: expected one, found the examples of data.npz (SHA-256 "), "{said}");
}

#[test]
fn parts_sets_distributions_and_weights_are_heeded() {
    let (folder, data) = (Folder::new(), data());
    let right = data.classes().unwrap();
    // The right value or the one below it.
    let sets = Array3::from_shape_fn((600, 3, 10), |(list, at, class)| {
        let right = right[[list, at]] as usize;
        class == right || class + 1 == right
    });
    let shares = sets.mapv(|is_right| f64::from(u8::from(is_right)));
    let shares = &shares / &shares.sum_axis(ndarray::Axis(2)).insert_axis(ndarray::Axis(2));
    let names: Vec<&str> = (0..600).map(|at| ["train", "train", "train", "validation", "test"][at % 5]).collect();
    // The last prediction counts for nothing: it may be whatever it is.
    let mut weights = ndarray::Array2::<f32>::ones((600, 3));
    weights.column_mut(2).fill(0.0);
    for targets in [npy(sets.into_dyn()), npy(shares.into_dyn())] {
        let more =
            [("targets", targets), ("split", npy_of_words(&names)), ("weights", npy(weights.clone().into_dyn()))];
        let file = folder.write("data.npz", &data, &more);
        let output = folder.train(&file, &[]);
        let said = text(output.stderr);
        assert!(
            output.status.success() && said.contains("learns from 360 examples of data.npz, validates on 120"),
            "{said}"
        );
        let found = eval(&folder.path("model.safetensors"), &file);
        assert_eq!(found["size"], 120);
        assert!(found["token_accuracy"].as_f64().unwrap() > 0.6, "{found}");
        let (model, out) = (folder.path("model.safetensors"), folder.path("study"));
        let predicted = run(&["predict", &model, "--data", &file, "--json"]);
        let predicted: Value = serde_json::from_slice(&predicted.stdout).unwrap();
        // The third prediction is not scored.
        let right =
            |at: usize| predicted.as_array().unwrap().iter().filter(|list| list["right_at"][at] == true).count();
        assert_eq!((right(0) + right(1)) as f64 / 240.0, found["token_accuracy"].as_f64().unwrap());
        assert!(predicted.as_array().unwrap().iter().all(|list| list["right_at"][2].is_null()));
        let output = run(&["study", &model, "--data", &file, "--out", &out, "--quiet"]);
        assert!(output.status.success(), "{}", text(output.stderr));
        let study: Value =
            serde_json::from_slice(&std::fs::read(Path::new(&out).join("results.json")).unwrap()).unwrap();
        assert_eq!(study["evaluation"]["token_accuracy"], found["token_accuracy"]);
        let shown = study["lists"].as_array().unwrap();
        let right = |example: &Value| example["prediction"]["expected"][0].as_array().map_or(1, Vec::len);
        assert!(shown.iter().any(|example| right(example) == 2) && shown.iter().all(|example| right(example) <= 2));
    }
}

#[test]
fn what_cannot_be_learnt_is_refused_before_anything_is_written() {
    let (folder, data) = (Folder::new(), data());
    let all = ["train"; 600];
    let numbers = |number: i64| npy(ArrayD::from_elem(IxDyn(&[600, 3]), number));
    let cases: [(Arrays, &str); 6] = [
        (vec![], "targets: expected an array, as no task says what is right, found none"),
        (
            vec![classes(&data), ("split", npy_of_words(&all))],
            "validation examples: expected a prediction that is scored",
        ),
        (vec![("targets", numbers(1 << 21))], "targets: expected numbers below 1048576, found 2097152"),
        (
            vec![("targets", numbers(1)), ("weights", npy(ArrayD::from_elem(IxDyn(&[600, 3]), -1.0)))],
            "weight 1 of example 1: expected a number of 0 or more, found -1",
        ),
        (vec![("targets", npy(ArrayD::from_elem(IxDyn(&[600, 3, 10]), false)))], "expected at least one right class"),
        (
            vec![classes(&data), ("labels", npy_of_words(&["a"]))],
            "tokens, example 1, token 0: expected a number below 1",
        ),
    ];
    for (more, expected) in cases {
        let file = folder.write("data.npz", &data, &more);
        let said = folder.refused(&file, &[]);
        assert!(said.contains(expected) && said.contains("data.npz"), "{expected}: {said}");
    }
    let file = folder.write("data.npz", &data, &[classes(&data)]);
    for flag in [["--task", "sorted_list"], ["--list-len", "3"], ["--train-size", "10"]] {
        let said = folder.refused(&file, &flag);
        assert!(said.contains(&format!("none that only drawn examples heed, found {}", flag[0])), "{said}");
    }
    let recipe = folder.path("recipe.toml");
    for (text, key) in [("[task]\nname = \"sorted_list\"", "task"), ("epochs = 2\ntrain_size = 9", "train_size")] {
        std::fs::write(&recipe, text).unwrap();
        let said = folder.refused(&file, &["--config", &recipe]);
        let expected = format!("recipe beside --data: expected no key that only drawn examples heed, found {key}");
        assert!(said.contains(&expected) && said.contains("recipe.toml"), "{said}");
    }
    assert_eq!(folder.files(), [folder.path("data.npz"), recipe].map(PathBuf::from));
}
