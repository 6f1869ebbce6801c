//! Models that other people trained on the tasks go through the verbs, without further flags.

mod cases;

use algolens::{
    engine::{Backend, Vectors},
    evaluation::evaluate,
    model::{
        Model,
        checkpoint::{Checkpoint, Hints, OfTask},
    },
    task::{Dataset, Registry},
    train::Architecture,
};
use algolens_testing::{npy, reference, write_npz};
use assert_cmd::Command;
use cases::{CASES, JUDGED, Judged, of_every_kind};
use ndarray::{Array1, Axis};
use serde_json::Value;
use std::path::Path;
use zip::CompressionMethod;

/// The answer of a verb and its notes, without what is assumed of the config; some of these files do not show a norm or an
/// activation function.
fn answer(arguments: &[&str]) -> (String, String) {
    let output = Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, said) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{arguments:?}: {said}");
    (out, without_assumptions(&said))
}

fn json_of(arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(&[arguments, &["--json"]].concat()).0).unwrap()
}

fn refusal(arguments: &[&str]) -> String {
    let output = Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}");
    let said = without_assumptions(&String::from_utf8(output.stderr).unwrap());
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

fn without_assumptions(said: &str) -> String {
    said.split_inclusive('\n').filter(|line| !line.contains("assumed, as the file does not say")).collect()
}

/// Without further flags: sizes tell the task, and the task what the file does not say.
#[test]
fn what_they_lose_and_say_is_what_was_measured() {
    const SIZE: f64 = 10_000.0;
    for case in CASES {
        let Some(model) = case.model() else { return };
        let evaluation = json_of(&[&["eval", &model, "--size", &SIZE.to_string()], case.flags()].concat());
        let number = |value: &Value| value.as_f64().unwrap();
        let expected = case.measured();
        // Both are samples.
        let spread = |of_one: f64| 3.0 * of_one * (1.0 / SIZE + 1.0 / case.examples).sqrt();
        if let Some(error) = expected["loss_standard_error"].as_f64() {
            let off = number(&evaluation["loss"]) - number(&expected["loss"]);
            let allowed = spread(error * case.examples.sqrt());
            assert!(off.abs() < allowed, "{}: loss off by {off}, allowed {allowed}", case.file);
        }
        let accuracy = number(&expected["accuracy"]);
        let of_one = (accuracy * (1.0 - accuracy)).max(1.0 / (SIZE * case.independent)) / case.independent;
        let off = number(&evaluation["token_accuracy"]) - accuracy;
        let allowed = spread(of_one.sqrt());
        assert!(off.abs() < allowed, "{}: accuracy off by {off}, allowed {allowed}", case.file);
        assert_eq!(evaluation["task_assumed"], case.flags().is_empty());
        assert_eq!(evaluation["task"]["name"], case.task.split_once('(').unwrap().0, "{}", case.file);
    }
}

/// The losses of every input there is, down to 3e-8, where the sum of a row's exponentials in f32 has no digit of it.
#[test]
fn what_they_lose_on_all_inputs_was_counted() {
    let registry = Registry::default();
    for (file, keys, loss) in [
        ("max_of_list/model.pt", &["measured"][..], 3.22385e-8),
        ("longest_cycle/transformer_longest_cycle_h4_n4.safetensors", &["measured"], 2.094_029e-7),
        (WD, &["models", "wd_10-1_mod_addition_loss_curve.pth", "measured"], 3.519_745e-7),
        ("modular_addition/C113_T_seed1_model.pt", &["models", "C113_T_seed1_model.pt", "measured"], 1.58516e-7),
    ] {
        let Some(path) = reference(file) else { return };
        let (known, mut hints) = (registry.clone(), Hints::default());
        hints.task = OfTask::new(move |config| known.settings(config, None));
        let model = Checkpoint::open(&path, &hints).unwrap().checkpoint.model;
        let task = registry.task_of(model.config(), None).unwrap().task;
        let inputs: Vec<Vec<u32>> = task.inputs().unwrap().iter().collect();
        let data = Dataset::from_inputs(&*task, &inputs).unwrap();
        let expected = std::fs::read(path.with_file_name("expected.json")).unwrap();
        let expected: Value = serde_json::from_slice(&expected).unwrap();
        let measured = keys.iter().fold(&expected, |part, key| &part[*key]);
        assert_eq!((measured["inputs"].as_u64(), measured["loss"].as_f64()), (Some(data.len() as u64), Some(loss)));
        for backend in Backend::ALL.into_iter().filter(|backend| backend.check(model.config()).is_ok()) {
            let found = evaluate(&*backend.engine(Vectors::best()), &model, &data).unwrap();
            assert!((found.loss / loss - 1.0).abs() < 2e-4, "{file}: {} by {backend:?}, not {loss}", found.loss);
            assert_eq!(found.token_accuracy, 1.0, "{file}");
        }
    }
}

const WD: &str = "modular_addition/wd_10-1_mod_addition_loss_curve.pth";

#[test]
fn they_go_through_the_verbs() {
    let folder = tempfile::tempdir().unwrap();
    for case in of_every_kind() {
        let Some(model) = case.model() else { return };
        let said = |arguments: &[&str]| json_of(&[arguments, case.flags()].concat());
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
        let circuits = [&["circuits", &model, "--out", out.to_str().unwrap()], case.flags()].concat();
        // Of weights alone: no task is asked for, and none is assumed.
        assert_eq!(answer(&circuits).1, "");
        assert!(Path::new(&out).exists());
    }
}

#[test]
fn they_are_studied_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for case in of_every_kind() {
        let Some(model) = case.model() else { return };
        let (out, page) = (path("study"), path("report.html"));
        let study = ["study", &model, "--quiet", "--study-size", "100", "--out", &out];
        let (said, _) = answer(&[&study[..], case.flags()].concat());
        let study: Value = serde_json::from_slice(&std::fs::read(path("study/results.json")).unwrap()).unwrap();
        let evaluation = json_of(&[&["eval", &model, "--size", "100"], case.flags()].concat());
        assert_eq!(study["evaluation"]["token_accuracy"], evaluation["token_accuracy"], "{}", case.folder);
        assert_eq!(study["task_assumed"], true);
        let sections: Vec<&str> =
            study["sections"].as_array().unwrap().iter().map(|section| section["id"].as_str().unwrap()).collect();
        let generic = ["model", "predictions", "families", "attention", "ablation", "circuits", "attribution", "worst"];
        assert_eq!(sections[..generic.len()], generic, "{}", case.folder);
        assert!(said.contains("Worst inputs"), "{said}");
        let report = ["report", &model, "--study-size", "50", "--out", &page, "--list", case.input];
        let reported = answer(&[&report[..], case.flags()].concat());
        assert_eq!(reported.0, format!("{page}\n"));
        assert!(std::fs::read_to_string(&page).unwrap().contains("Your examples"));
    }
}

/// Of 200 000 random lists the EAGx Berlin models called 129 and 113 palindromes that are none, and these were all that differ in
/// pair 4 alone, and nearly all in pairs 4 and 5: their studies say so without being told.
#[test]
fn blind_spots_show_in_families() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("study");
    for (case, family, member) in [(CASES[1], "broken_pair", "4"), (CASES[2], "broken_pairs", "4+5")] {
        let Some(model) = case.model() else { return };
        answer(&["study", &model, "--quiet", "--study-size", "50", "--out", out.to_str().unwrap()]);
        let study: Value = serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap();
        let mut blind = Vec::new();
        for scores in study["families"].as_array().unwrap() {
            for of_member in scores["members"].as_array().unwrap() {
                let [size, right] = ["size", "right"].map(|key| of_member[key].as_u64().unwrap());
                assert_eq!(size, 200);
                if right == 0 {
                    assert!(of_member["interval"][1].as_f64().unwrap() < 0.05);
                    blind.push((scores["id"].as_str().unwrap(), of_member["name"].as_str().unwrap()));
                }
            }
        }
        assert_eq!(blind, [(family, member)], "{}", case.file);
        let section = study["sections"].as_array().unwrap().iter().find(|section| section["id"] == "families").unwrap();
        assert_eq!(section["headline"], format!("{member}: 200 of 200 wrong"));
    }
}

/// What published solutions claim of the models that they are about, and what part of it each finding names.
#[test]
fn published_claims_are_judged() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("study");
    let mut studied: Option<(&str, Value)> = None;
    for Judged { file, claim, verdict, detail } in JUDGED {
        let case = CASES.into_iter().find(|case| case.file == file).unwrap();
        let Some(model) = case.model() else { return };
        if studied.as_ref().is_none_or(|(name, _)| *name != file) {
            answer(&["study", &model, "--quiet", "--out", out.to_str().unwrap()]);
            studied = Some((file, serde_json::from_slice(&std::fs::read(out.join("results.json")).unwrap()).unwrap()));
        }
        let findings = studied.as_ref().unwrap().1["findings"].as_array().unwrap();
        let finding = findings.iter().find(|finding| finding["id"] == claim).unwrap();
        assert_eq!(finding["verdict"], verdict, "{file}: {finding}");
        assert!(finding["detail"].as_str().unwrap().contains(detail), "{file}: {finding}");
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
    for case in of_every_kind() {
        let Some(model) = case.model() else { return };
        let task = case.task();
        let input = task.parse_input(case.input).unwrap();
        let example = Array1::from_vec(task.complete(&input).unwrap()).insert_axis(Axis(0));
        write(&path, &Dataset::from_examples(&*task, example).unwrap());
        for (verb, keys) in [
            ("predict", &["tokens", "expected", "predicted", "prob_expected"][..]),
            ("scores", &["terms"]),
            ("attribute", &["tokens", "positions", "contributions"]),
        ] {
            let of = |example: &[&str]| {
                let mut found = json_of(&[&[verb, &model], example, case.flags()].concat());
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
    for case in of_every_kind() {
        let Some(model) = case.model() else { return };
        let task = case.task();
        let data = Dataset::generate(&*task, SIZE, &mut algolens::random::from_dataset_seed(43)).unwrap();
        write(&path, &data);
        let file = path.to_str().unwrap();
        for verb in [&["eval", &model][..], &["ablate", &model, "--head", case.head], &["attention", &model]] {
            let arguments = [verb, case.flags()].concat();
            let drawn = json_of(&[&arguments[..], &["--size", &size]].concat());
            let read = json_of(&[&arguments[..], &["--data", file]].concat());
            for key in ["loss", "token_accuracy", "loss_increase", "evaluation", "mean_weights"] {
                assert_eq!(drawn[key], read[key], "{}: {key} of {verb:?}", case.folder);
            }
            assert_eq!(read["task"], Value::Null);
        }
        let rows =
            |data: &[&str]| json_of(&[&["qk", &model, "--dest", "1", "--effective"], data, case.flags()].concat());
        assert_eq!(rows(&["--data", file]), rows(&["--size", &size, "--seed", "43"]), "{}", case.folder);
        let page = folder.path().join("report.html");
        let report = ["report", &model, "--data", file, "--study-size", "50", "--out", page.to_str().unwrap()];
        answer(&[&report[..], case.flags()].concat());
        assert!(page.exists());
        // A study of the data measures the same, but for what it resamples and searches.
        let study_of = |name: &str, data: &[&str]| -> Value {
            let out = folder.path().join(name);
            let study = ["study", &model, "--quiet", "--out", out.to_str().unwrap()];
            answer(&[&study[..], case.flags(), data].concat());
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
    for case in of_every_kind() {
        let Some(model) = case.model() else { return };
        let arguments = [&["eval", &model, "--size", "10"], case.flags()].concat();
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
    assert!(said("palindrome(half_length=9)").contains("n_ctx of the model: expected the task's 20, found 22"));
    assert!(said("palindromes").contains("no task is called \"palindromes\"; near it: palindrome"));
    assert!(said("palindrome(half_length=ten)").contains("half_length: expected usize, found \"ten\""));
    let other = said("palindrome(half=10)");
    assert!(other.contains("option of palindrome: expected half_length or max_value, found half"), "{other}");
    if let Some(cumsum) = CASES[5].model() {
        let ten = ["predict", &cumsum, "10,1", "--task", "cumulative_sum"];
        assert!(refusal(&ten).contains("list 1: expected values of -5 to 5, found 10"));
    }
    let Some(letters) = CASES[6].model() else { return };
    let others = refusal(&["report", &letters, "--task", CASES[6].task, "--out", "none.html", "--others", &letters]);
    assert!(others.contains("models of other seeds: expected a task whose claims they are asked about"), "{others}");
    let task = "palindrome(half_length=10,max_value=30)";
    let certify = refusal(&["certify", &model, "--out", "none.json", "--task", task]);
    let expected =
        "task: expected sorted_list or max_of_list, for proofs, found palindrome; `algolens attack MODEL` looks";
    assert!(certify.contains(expected), "{certify}");
    if let Some(behind_bos) = CASES[13].model() {
        let certify = refusal(&["certify", &behind_bos, "--out", "none.json", "--task", CASES[13].task]);
        assert!(certify.contains("bos: expected lists without BOS, for proofs, found lists behind it"), "{certify}");
    }
}

#[test]
fn a_model_that_fits_two_tasks_is_asked_about() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let [ours, other] = ["sorted_list(list_len=10,max_value=9)", "first_unique(length=20,symbols=10)"];
    let model = |task: &str| {
        let task = Registry::default().task(&task.parse().unwrap()).unwrap();
        Model::init(Architecture::default().config(&*task), 0).unwrap()
    };
    assert_eq!(model(ours).config(), model(other).config());
    Checkpoint { model: model(ours), task: None }.save(&path).unwrap();
    let said = refusal(&["eval", path.to_str().unwrap()]);
    assert!(said.contains("the task cannot be read off the checkpoint: say it with --task"), "{said}");
    assert!(said.contains("sorted_list") && said.contains("first_unique") && !said.contains("sum"), "{said}");
    for task in [ours, other] {
        assert_eq!(json_of(&["eval", path.to_str().unwrap(), "--task", task])["task_assumed"], false);
    }
}

/// The recipe of a task is its own, but for what flags say.
#[test]
fn a_task_is_trained_by_its_own_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let path = path.to_str().unwrap();
    let sizes = ["--train-size", "4000", "--validation-size", "200", "--epochs", "2"];
    answer(&[&["train", "--out", path, "--quiet", "--task", "cumulative_sum(length=4)"], &sizes[..]].concat());
    let evaluation = json_of(&["eval", path]);
    assert_eq!(evaluation["task"], serde_json::json!({"name": "cumulative_sum", "length": 4, "largest": 5}));
    let config = &json_of(&["inspect", path])["config"];
    assert_eq!((&config["d_model"], &config["mlp"]["d_mlp"]), (&24.into(), &8.into()));
    assert_eq!(config["normalization_type"], "none");
    // A file goes before the task's recipe, key by key, and flags before the file.
    let file = folder.path().join("recipe.toml");
    std::fs::write(&file, "epochs = 1\n[task]\nname = \"cumulative_sum\"\nlength = 4\n[model]\nd_model = 16\n")
        .unwrap();
    let config = ["--config", file.to_str().unwrap(), "--d-mlp", "0"];
    answer(&[&["train", "--out", path, "--quiet"], &config[..], &sizes[..4]].concat());
    let config = &json_of(&["inspect", path])["config"];
    assert_eq!((&config["d_model"], &config["d_head"], &config["mlp"]), (&16.into(), &12.into(), &Value::Null));
}
