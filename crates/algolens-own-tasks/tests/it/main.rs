//! A program of its own with tasks of its own: models that other people trained go through the verbs.

use algolens::{
    model::{Model, checkpoint::Checkpoint},
    random,
    task::Dataset,
    train::Architecture,
};
use algolens_testing::{npy, reference, write_npz};
use assert_cmd::Command;
use ndarray::{Array1, Axis};
use serde_json::{Value, json};
use std::path::Path;
use zip::CompressionMethod;

/// A reference model: its folder, its file, its task, an input, a head of its last block.
struct Case {
    folder: &'static str,
    file: &'static str,
    task: &'static str,
    input: &'static str,
    head: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        folder: "palindromes",
        file: "palindrome_classifier.pt",
        task: "palindromes(half=10,max_value=30)",
        input: "1,2,3,4,5,6,7,8,9,10,10,9,8,7,6,5,4,3,2,1",
        head: "1.0",
    },
    Case {
        folder: "first_unique",
        file: "first_unique_char_model.pt",
        task: "first_unique(length=19,letters=10)",
        input: "aabacbdddeafghijabc",
        head: "1.2",
    },
    Case {
        folder: "cumsum",
        file: "cumsum_model.pt",
        task: "cumsum(length=20)",
        input: "1,-2,3,0,0,5,-5,-5,1,2,3,-4,-5,1,0,2,-2,5,5,-1",
        head: "0.0",
    },
];

impl Case {
    fn model(&self) -> Option<String> {
        let path = reference(&format!("{}/{}", self.folder, self.file))?;
        Some(path.to_str().expect("a path in UTF-8").to_owned())
    }

    fn expected(&self) -> Value {
        let path = reference(&format!("{}/expected.json", self.folder)).expect("it is beside the model");
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }
}

/// The answer of a verb and its notes, without what is assumed of the config; some of these files do not show a norm or an
/// activation function.
fn answer(arguments: &[&str]) -> (String, String) {
    let output = Command::cargo_bin("own-tasks").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, said) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
    (out, without_assumptions(&said))
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(&[arguments, &["--json"]].concat()).0).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("own-tasks").unwrap().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    let said = without_assumptions(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

fn without_assumptions(said: &str) -> String {
    said.split_inclusive('\n').filter(|line| !line.contains("assumed, as the file does not say")).collect()
}

/// What the files do not say of these models.
fn flags(case: &Case) -> &'static [&'static str] {
    if case.folder == "cumsum" { &["--normalization", "none", "--act-fn", "relu"] } else { &[] }
}

/// Every input of small tasks is counted once; those of large ones are valid.
#[test]
fn their_inputs_are_counted() {
    let of = |task: &str| algolens_own_tasks::registry().task(&task.parse().unwrap()).unwrap();
    for (task, length, tokens) in [
        ("palindromes(half=2,max_value=2)", 4, 3_u32),
        ("first_unique(length=3,letters=4)", 3, 4),
        ("cumsum(length=3)", 3, 11),
    ] {
        let task = of(task);
        let mut all: Vec<Vec<u32>> = vec![vec![]];
        for _ in 0..length {
            all = all.iter().flat_map(|input| (0..tokens).map(|token| [&input[..], &[token]].concat())).collect();
        }
        let inputs = task.inputs().unwrap();
        assert!(all.iter().all(|input| task.complete(input).is_ok()), "{task:?}");
        assert_eq!((inputs.count(), inputs.iter().collect::<Vec<_>>()), (all.len() as u128, all));
    }
    for Case { task, .. } in CASES {
        let task = of(task);
        let inputs = task.inputs().unwrap();
        let sample = inputs.sample(500, &mut random::stream(0, "test/inputs")).unwrap();
        assert!(sample.is_sorted_by(|a, b| a < b));
        sample.iter().for_each(|input| task.validate(&task.complete(input).unwrap()).unwrap());
        assert!(inputs.get(inputs.count()).is_err());
    }
}

#[test]
fn the_program_s_tasks_are_listed_with_their_defaults() {
    let (help, _) = answer(&["--help"]);
    for task in ["sorted_list(list_len=10,max_value=50)", "palindromes(half=10,max_value=30)", "cumsum(length=20)"] {
        assert!(help.contains(task), "{help}");
    }
}

#[test]
fn their_accuracies_are_those_that_were_measured() {
    const SIZE: usize = 10_000;
    for case in CASES {
        let Some(model) = case.model() else { return };
        let size = SIZE.to_string();
        let evaluation = json_of(&[&["eval", &model, "--size", &size], flags(&case)].concat());
        let (expected, number) = (&case.expected()["measured"], |value: &Value| value.as_f64().unwrap());
        // Both are samples of as many sequences.
        let error = 3.0 * 2.0_f64.sqrt() * number(&expected["loss_standard_error"]);
        let off = number(&evaluation["loss"]) - number(&expected["loss"]);
        assert!(off.abs() < error, "{}: loss off by {off}, allowed {error}", case.folder);
        let predictions = SIZE as f64 * evaluation_positions(&case);
        let accuracy = number(&expected["accuracy"]);
        let error = 3.0 * (2.0 * (accuracy * (1.0 - accuracy)).max(1.0 / predictions) / predictions).sqrt();
        let off = number(&evaluation["token_accuracy"]) - accuracy;
        assert!(off.abs() < error, "{}: accuracy off by {off}, allowed {error}", case.folder);
        assert_eq!(evaluation["task_assumed"], true);
    }
}

/// Predictions of a sequence that are independent enough to count: at least one.
fn evaluation_positions(case: &Case) -> f64 {
    if case.folder == "palindromes" { 1.0 } else { 2.0 }
}

#[test]
fn they_go_through_the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    for case in CASES {
        let Some(model) = case.model() else { return };
        let said = |arguments: &[&str]| json_of(&[arguments, flags(&case)].concat());
        let predicted = said(&["predict", &model, case.input]);
        assert_eq!(predicted[0]["right"], true, "{}: {predicted}", case.folder);
        for verb in [
            &["ablate", &model, "--head", case.head, "--list", case.input, "--size", "200"][..],
            &["scores", &model, case.input],
            &["attribute", &model, case.input],
            &["attention", &model, "--size", "200"],
        ] {
            let found = said(verb);
            assert_eq!(found["task_assumed"], true, "{verb:?}");
            assert_eq!(found["task"]["name"], case.task.split_once('(').unwrap().0, "{verb:?}");
        }
        let rows = said(&["qk", &model, "--dest", "1", "--effective", "--size", "200"]);
        assert!(!rows.as_array().unwrap().is_empty());
        let out = folder.path().join("circuits.npz");
        let circuits = [&["circuits", &model, "--out", out.to_str().unwrap()], flags(&case)].concat();
        // Of weights alone: no task is asked for, and none is assumed.
        assert_eq!(answer(&circuits).1, "");
        assert!(Path::new(&out).exists());
    }
}

#[test]
fn they_are_studied_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for case in CASES {
        let Some(model) = case.model() else { return };
        let (out, page) = (path("study"), path("report.html"));
        let study = ["study", &model, "--quiet", "--study-size", "100", "--out", &out];
        let (said, _) = answer(&[&study[..], flags(&case)].concat());
        let study: Value = serde_json::from_slice(&std::fs::read(path("study/results.json")).unwrap()).unwrap();
        let evaluation = json_of(&[&["eval", &model, "--size", "100"], flags(&case)].concat());
        assert_eq!(study["evaluation"]["token_accuracy"], evaluation["token_accuracy"], "{}", case.folder);
        assert_eq!(study["task_assumed"], true);
        let sections: Vec<&str> =
            study["sections"].as_array().unwrap().iter().map(|section| section["id"].as_str().unwrap()).collect();
        let generic = ["model", "predictions", "attention", "ablation", "circuits", "attribution", "worst"];
        assert_eq!(sections, generic, "{}", case.folder);
        assert!(said.contains("Worst inputs"), "{said}");
        let report = ["report", &model, "--study-size", "50", "--out", &page, "--list", case.input];
        let reported = answer(&[&report[..], flags(&case)].concat());
        assert_eq!(reported.0, format!("{page}\n"));
        assert!(std::fs::read_to_string(&page).unwrap().contains("Your lists"));
    }
}

/// Writes data as a user's file.
fn write(path: &Path, data: &Dataset) {
    let positions = data.positions().iter().map(|position| *position as i64).collect();
    let arrays = [
        ("tokens", npy(data.tokens().mapv(i64::from).into_dyn())),
        ("targets", npy(data.classes().unwrap().mapv(i64::from).into_dyn())),
        ("positions", npy(Array1::from_vec(positions).into_dyn())),
    ];
    write_npz(path, &arrays, CompressionMethod::Stored);
}

/// One example from a file, of which no program needs to know the task, is the one that is typed.
#[test]
fn an_example_of_a_file_is_looked_at_as_one_that_is_typed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    for case in CASES {
        let Some(model) = case.model() else { return };
        let task = algolens_own_tasks::registry().task(&case.task.parse().unwrap()).unwrap();
        let input = task.parse_input(case.input).unwrap();
        let example = Array1::from_vec(task.complete(&input).unwrap()).insert_axis(Axis(0));
        write(&path, &Dataset::from_examples(&*task, example).unwrap());
        for (verb, keys) in [
            ("predict", &["tokens", "expected", "predicted", "prob_expected"][..]),
            ("scores", &["terms"]),
            ("attribute", &["tokens", "positions", "contributions"]),
        ] {
            let of = |example: &[&str]| {
                let mut found = json_of(&[&[verb, &model], example, flags(&case)].concat());
                if found.is_array() { found[0].take() } else { found }
            };
            let (read, typed) = (of(&["--data", path.to_str().unwrap()]), of(&[case.input]));
            for key in keys {
                assert!(!typed[key].is_null(), "{verb} has no {key}: {typed}");
                assert_eq!(read[key], typed[key], "{}: {key} of {verb}", case.folder);
            }
        }
    }
}

/// The same examples from a file, of which no program needs to know the task.
#[test]
fn they_are_judged_alike_on_data_from_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.npz");
    const SIZE: usize = 200;
    let size = SIZE.to_string();
    for case in CASES {
        let Some(model) = case.model() else { return };
        let task = algolens_own_tasks::registry().task(&case.task.parse().unwrap()).unwrap();
        let data = Dataset::generate(&*task, SIZE, &mut random::from_dataset_seed(43)).unwrap();
        write(&path, &data);
        let file = path.to_str().unwrap();
        for verb in [&["eval", &model][..], &["ablate", &model, "--head", case.head], &["attention", &model]] {
            let arguments = [verb, flags(&case)].concat();
            let drawn = json_of(&[&arguments[..], &["--size", &size]].concat());
            let read = json_of(&[&arguments[..], &["--data", file]].concat());
            for key in ["loss", "token_accuracy", "loss_increase", "evaluation", "mean_weights"] {
                assert_eq!(drawn[key], read[key], "{}: {key} of {verb:?}", case.folder);
            }
            assert_eq!(read["task"], Value::Null);
        }
        let rows =
            |data: &[&str]| json_of(&[&["qk", &model, "--dest", "1", "--effective"], data, flags(&case)].concat());
        assert_eq!(rows(&["--data", file]), rows(&["--size", &size, "--seed", "43"]), "{}", case.folder);
        let page = folder.path().join("report.html");
        let report = ["report", &model, "--data", file, "--study-size", "50", "--out", page.to_str().unwrap()];
        answer(&[&report[..], flags(&case)].concat());
        assert!(page.exists());
        // A study of the data measures the same, but for what it resamples and searches.
        let study_of = |name: &str, data: &[&str]| -> Value {
            let out = folder.path().join(name);
            let study = ["study", &model, "--quiet", "--out", out.to_str().unwrap()];
            answer(&[&study[..], flags(&case), data].concat());
            serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap()
        };
        let (drawn, read) = (study_of("drawn", &["--study-size", &size]), study_of("read", &["--data", file]));
        assert_eq!(drawn["evaluation"], read["evaluation"]);
        assert_eq!(drawn["ablation"]["mean"], read["ablation"]["mean"]);
        assert_eq!([&read["task"], &read["seed"]], [&Value::Null; 2]);
    }
}

#[test]
fn a_task_that_is_assumed_is_said_on_a_line_of_its_own() {
    for case in CASES {
        let Some(model) = case.model() else { return };
        let arguments = [&["eval", &model, "--size", "10"], flags(&case)].concat();
        let (_, notes) = answer(&arguments);
        let line = format!("algolens: the task is assumed, as the file names none and only this fits: {}\n", case.task);
        assert_eq!(notes, line);
        let (_, notes) = answer(&[&arguments[..], &["--task", case.task]].concat());
        assert_eq!(notes, "");
    }
}

#[test]
fn a_task_that_does_not_fit_or_is_not_known_is_refused() {
    let Some(model) = CASES[0].model() else { return };
    let said = |task: &str| refusal(&["eval", &model, "--task", task]);
    assert!(said("palindromes(half=9)").contains("n_ctx of the model: expected the task's 20, found 22"));
    assert!(said("palindrome").contains("no task is called \"palindrome\"; near it: palindromes"));
    assert!(said("palindromes(half=ten)").contains("half: expected usize, found \"ten\""));
    assert!(said("palindromes(halves=10)").contains("option of palindromes: expected half or max_value, found halves"));
    if let Some(cumsum) = CASES[2].model() {
        let ten = [&["predict", &cumsum, "10,1", "--task", "cumsum"], flags(&CASES[2])].concat();
        assert!(refusal(&ten).contains("list 1: expected values of -5 to 5, found 10"));
    }
    let others = refusal(&["report", &model, "--task", CASES[0].task, "--out", "none.html", "--others", &model]);
    assert!(others.contains("models of other seeds: expected a task whose claims they are asked about"), "{others}");
    let certify = refusal(&["certify", &model, "--out", "none.json"]);
    assert!(certify.contains("task: expected sorted_list, found palindromes"), "{certify}");
}

#[test]
fn a_model_that_fits_two_tasks_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let [ours, other] = ["sorted_list(list_len=10,max_value=9)", "first_unique(length=20,letters=10)"];
    let model = |task: &str| {
        let task = algolens_own_tasks::registry().task(&task.parse().unwrap()).unwrap();
        Model::init(Architecture::default().config(&*task), 0).unwrap()
    };
    assert_eq!(model(ours).config(), model(other).config());
    Checkpoint { model: model(ours), task: None }.save(&path).unwrap();
    let said = refusal(&["eval", path.to_str().unwrap()]);
    assert!(said.contains("the task cannot be read off the checkpoint: say it with --task"), "{said}");
    assert!(said.contains("sorted_list") && said.contains("first_unique") && !said.contains("cumsum"), "{said}");
    for task in [ours, other] {
        assert_eq!(json_of(&["eval", path.to_str().unwrap(), "--task", task])["task_assumed"], false);
    }
}

/// A model trained here on a task of this program: its file names the task, and only a program that knows it takes it.
#[test]
fn a_task_of_ones_own_is_trained_and_named_by_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let path = path.to_str().unwrap();
    let sizes =
        ["--d-model", "16", "--d-head", "8", "--train-size", "4000", "--validation-size", "200", "--epochs", "8"];
    let task = ["--task", "cumsum(length=4)", "--lr-start", "1e-2"];
    answer(&[&["train", "--out", path, "--quiet"], &sizes[..], &task].concat());
    let evaluation = json_of(&["eval", path]);
    assert_eq!(evaluation["task"], json!({"name": "cumsum", "length": 4}));
    assert_eq!(evaluation["task_assumed"], false);
    // Guessing the commonest sign is right in about half.
    assert!(evaluation["token_accuracy"].as_f64().unwrap() > 0.8, "{evaluation}");
    let (shown, _) = answer(&["inspect", path]);
    assert!(shown.contains("cumsum(length=4)"), "{shown}");
}
