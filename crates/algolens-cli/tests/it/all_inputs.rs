//! `eval --all`: exact counts, and counts that several machines share.

use crate::ran::{answer, refusal, run};
use algolens_testing::reference;
use serde_json::Value;
use std::{fs, path::Path};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A model that is trained a little, on a task of 4 096 inputs.
fn trained(folder: &Path, seed: &str) -> String {
    let path = folder.join(format!("model-{seed}.safetensors")).to_str().unwrap().to_owned();
    answer(&[
        "train",
        "--task",
        "palindrome(half_length=3,max_value=3)",
        "--seed",
        seed,
        "--train-size",
        "512",
        "--validation-size",
        "64",
        "--batch-size",
        "64",
        "--epochs",
        "3",
        "--n-layers",
        "1",
        "--out",
        &path,
        "--quiet",
    ]);
    path
}

/// What others counted of models that other people trained.
#[test]
fn counts_are_those_of_the_references() {
    for (file, keys, inputs, margin) in [
        ("max_of_list/model.pt", &["measured"][..], 100_000, Some(12.85162)),
        ("modular_addition/C113_T_seed1_model.pt", &["models", "C113_T_seed1_model.pt", "measured"], 12_769, None),
        (
            "modular_addition/wd_10-1_mod_addition_loss_curve.pth",
            &["models", "wd_10-1_mod_addition_loss_curve.pth", "measured"],
            12_769,
            None,
        ),
        ("longest_cycle/transformer_longest_cycle_h4_n4.safetensors", &["measured"], 256, Some(11.44366)),
    ] {
        let Some(model) = reference(file) else { return };
        let expected = json(&fs::read_to_string(model.with_file_name("expected.json")).unwrap());
        let expected = keys.iter().fold(&expected, |part, key| &part[key]);
        let found = json(&answer(&["eval", model.to_str().unwrap(), "--all", "--json"]));
        for (key, count) in [("inputs", inputs), ("of", inputs), ("right", inputs)] {
            assert_eq!(found[key], count, "{file}: {key}");
        }
        let off = found["loss"].as_f64().unwrap() / expected["loss"].as_f64().unwrap() - 1.0;
        assert!(off.abs() < 2e-3, "{file}: loss off by {off}");
        if let Some(margin) = margin {
            let off = found["least_margin"]["margin"].as_f64().unwrap() - margin;
            assert!(off.abs() < 2e-4, "{file}: margin off by {off}");
        }
    }
}

/// Three parts, of which one is begun anew from its state, add up to the JSON of a single run.
#[test]
fn parts_add_up_to_a_single_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let model = trained(folder.path(), "0");
    let single = answer(&["eval", &model, "--all", "--json"]);
    let counted = json(&single);
    assert_eq!((counted["inputs"].clone(), counted["of"].clone()), (4096.into(), 4096.into()));
    assert!(counted["right"].as_u64().unwrap() < 4096 && !counted["wrong"].as_array().unwrap().is_empty());
    let parts = [1, 2, 3].map(|part| path(&format!("part-{part}.json")));
    for (at, part) in parts.iter().enumerate() {
        let share = format!("{}/3", at + 1);
        let said = answer(&["eval", &model, "--all", "--part", &share, "--out", part]);
        assert!(said.contains("of 4 096 inputs, numbers"), "{said}");
    }
    // A state that stands at the part's beginning, and one at its end.
    for state in
        [json(&fs::read_to_string(path("part-2.json.state")).unwrap()), json(&fs::read_to_string(&parts[1]).unwrap())]
    {
        fs::write(path("part-2.json.state"), state.to_string()).unwrap();
        let whole = fs::read(&parts[1]).unwrap();
        answer(&["eval", &model, "--all", "--part", "2/3", "--out", &parts[1], "--resume"]);
        assert_eq!(fs::read(&parts[1]).unwrap(), whole);
    }
    let [first, second, third] = parts.each_ref().map(String::as_str);
    for order in [[first, second, third], [third, first, second]] {
        assert_eq!(answer(&[&["eval", "--merge"], &order[..], &["--json"]].concat()), single);
    }
    let words = answer(&["eval", "--merge", first, second, third]);
    assert_eq!(words, answer(&["eval", &model, "--all"]));
    assert!(words.starts_with("wrong on ") && words.contains(" of all 4 096 inputs, least margin -"), "{words}");

    for flag in [["--backend", "plain"], ["--task", "sum"], ["--eps", "1"], ["--set", "n_heads=1"], ["--size", "5"]] {
        let (code, _, said) = run(&[&["eval", "--merge", first, second, third], &flag[..]].concat());
        assert!(code == Some(2) && said.contains("cannot be used with"), "{flag:?}: {said}");
    }
    let missing = refusal(&["eval", "--merge", first, third]);
    assert_eq!(missing, "algolens: parts: expected one with the inputs 1365 to 2729, found none");
    assert!(refusal(&["eval", "--merge", second, third]).contains("one with the inputs 0 to 1364"));
    assert!(refusal(&["eval", "--merge", first, second]).contains("one with the inputs 2730 to 4095"));
    let doubled = refusal(&["eval", "--merge", first, second, second, third]);
    assert!(doubled.contains("inputs: expected 2730 and later, found 1365 to 2729, of which"), "{doubled}");
    let foreign = path("foreign.json");
    let other = trained(folder.path(), "1");
    answer(&["eval", &other, "--all", "--part", "2/3", "--out", &foreign]);
    assert!(refusal(&["eval", "--merge", first, &foreign, third]).contains("foreign.json: model: expected"));
    answer(&["eval", &model, "--all", "--part", "2/3", "--out", &foreign, "--limit", "3"]);
    assert!(refusal(&["eval", "--merge", first, &foreign, third]).contains("limit: expected 10, found 3"));
    answer(&["eval", &model, "--all", "--part", "2/3", "--out", &foreign, "--backend", "plain"]);
    assert!(refusal(&["eval", "--merge", first, &foreign, third]).contains("backend: expected circuit, found plain"));
    // Counts that no run has.
    for (key, value) in [
        ("inputs", "18446744073709551615"),
        ("inputs", "4095"),
        ("right", "5000"),
        ("from", "4097"),
        ("of", "0"),
        ("ran", "4097"),
        ("ran", "4095"),
        ("to_run", "4097"),
        ("to_run", "4095"),
    ] {
        let mut edited = json(&single);
        edited[key] = json(value);
        fs::write(&foreign, edited.to_string()).unwrap();
        assert!(refusal(&["eval", "--merge", &foreign]).contains("foreign.json: "), "{key}");
    }
    let mut edited = json(&single);
    edited["accuracy"] = json("1.0");
    fs::write(&foreign, edited.to_string()).unwrap();
    assert_eq!(answer(&["eval", "--merge", &foreign, "--json"]), single);
    fs::write(&foreign, single.replace(env!("CARGO_PKG_VERSION"), "0.0.1")).unwrap();
    assert!(refusal(&["eval", "--merge", first, &foreign]).contains("algolens: expected "));
    fs::write(&foreign, "{}").unwrap();
    assert!(refusal(&["eval", "--merge", &foreign]).contains("counts: expected what eval --all --out writes"));
    let (code, _, said) = run(&["eval", &model, "--all", "--part", "4/3"]);
    assert!(code == Some(2) && said.contains("expected one of several, such as 2/5, found \"4/3\""), "{said}");
    let resumed = refusal(&["eval", &other, "--all", "--part", "2/3", "--out", second, "--resume"]);
    assert!(resumed.contains("part-2.json.state: model: expected"), "{resumed}");
}

/// More parts than inputs: some are empty, and come in any order.
#[test]
fn parts_may_be_empty() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let model = path("model.safetensors");
    let sizes = ["--train-size", "4", "--validation-size", "4", "--epochs", "1", "--quiet"];
    answer(&[&["train", "--task", "longest_cycle(n=2)", "--out", &model][..], &sizes].concat());
    let parts: Vec<String> = (1..=7).map(|part| path(&format!("{part}.json"))).collect();
    for (at, part) in parts.iter().enumerate() {
        answer(&["eval", &model, "--all", "--part", &format!("{}/7", at + 1), "--out", part]);
    }
    let mut arguments = vec!["eval", "--json", "--merge"];
    arguments.extend(parts.iter().rev().map(String::as_str));
    assert_eq!(answer(&arguments), answer(&["eval", &model, "--all", "--json"]));
}

/// What is too much to be run says so, and what to do instead.
/// Ten thousand lists of a model that knows no positions, by 715 multisets; its parts add up.
#[test]
fn multisets_stand_for_every_order() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let model = file("unique.safetensors");
    let train = "train --task count_unique(len=4,symbols=10) --n-layers 1 --epochs 1 --train-size 512 --validation-size 64 --quiet --out";
    answer(&train.split(' ').chain([&model[..]]).collect::<Vec<_>>());
    let (code, said, notes) = run(&["eval", &model, "--all"]);
    assert!(code == Some(0) && said.contains("all 10 000 inputs (715 multisets)"), "{said}");
    assert!(notes.contains("one order is run, and counts for all") && notes.contains("715 multisets in"), "{notes}");
    let whole = answer(&["eval", &model, "--all", "--json"]);
    let counts = ["of", "inputs", "to_run", "ran"].map(|key| json(&whole)[key].as_u64().unwrap());
    assert_eq!(counts, [10_000, 10_000, 715, 715]);
    let parts = ["1/3", "2/3", "3/3"].map(|part| {
        let out = file(&part.replace('/', "-"));
        answer(&["eval", &model, "--all", "--part", part, "--out", &out]);
        out
    });
    let [first, second, third] = parts.each_ref().map(String::as_str);
    assert_eq!(answer(&["eval", "--json", "--merge", first, second, third]), whole);
    // A sum that is not that of all orders.
    let edited = fs::read_to_string(second).unwrap().replace("\"multisets\": true,", "\"multisets\": false,");
    fs::write(second, edited).unwrap();
    assert!(refusal(&["eval", "--merge", first, second, third]).contains("inputs to run: expected 10000, found 715"));
    // With nothing looked at again, each order counts for itself.
    assert_eq!(json(&answer(&["eval", &model, "--all", "--json", "--slack", "0"]))["ran"], 10_000);
}

#[test]
fn what_cannot_be_run_is_refused() {
    let sorting = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");
    let long = refusal(&["eval", sorting, "--all"]);
    assert!(long.starts_with("algolens: task: expected as many inputs as can be run in 30 days"), "{long}");
    assert!(long.contains("--part I/N") && long.contains("--size N"), "{long}");
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.safetensors").to_str().unwrap().to_owned();
    answer(&[
        "train",
        "--task",
        "balanced_brackets",
        "--train-size",
        "64",
        "--validation-size",
        "16",
        "--epochs",
        "1",
        "--out",
        &model,
        "--quiet",
    ]);
    assert!(refusal(&["eval", &model, "--all"]).contains("inputs of the task: expected ones that can be counted"));
    let nowhere = folder.path().join("nowhere/part.json").to_str().unwrap().to_owned();
    let small = trained(folder.path(), "0");
    assert!(refusal(&["eval", &small, "--all", "--out", &nowhere]).contains("nowhere"));
}
