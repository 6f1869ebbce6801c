//! `attack` on models of any task, from outside.

use crate::ran;
use algolens_testing::reference;
use serde_json::Value;
use tempfile::TempDir;

fn answer(arguments: &[&str]) -> String {
    ran::answer(&attack(arguments))
}

fn refusal(arguments: &[&str]) -> String {
    ran::refusal(&attack(arguments))
}

fn attack<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [&["attack"], arguments, &["--quiet"]].concat()
}

fn json(arguments: &[&str]) -> Value {
    serde_json::from_str(&answer(&[arguments, &["--json"]].concat())).unwrap()
}

fn trained(folder: &TempDir, task: &str, more: &[&str]) -> String {
    let path = folder.path().join("model.safetensors").to_str().unwrap().to_owned();
    let sizes = ["--train-size", "512", "--validation-size", "64", "--batch-size", "64", "--epochs", "2"];
    let train = ["train", "--task", task, "--out", &path, "--quiet"];
    ran::answer(&[&train[..], &sizes, more].concat());
    path
}

/// The authors' set holds none of pairs 5 and 10 that fail, and next to none of 4: these are what the attack is for.
#[test]
fn the_blind_spots_of_a_published_palindrome_model_are_found() {
    let Some(model) = reference("palindromes_berlin/palindrome_classifier.pt") else { return };
    let model = model.to_str().unwrap();
    for (pair, work) in [("4", "5000"), ("5", "100000"), ("10", "100000")] {
        let found = json(&[model, "--family", &format!("broken_pair={pair}"), "--work", work]);
        let worst = &found["found"][0];
        let input: Vec<u64> = worst["input"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap()).collect();
        let broken: Vec<usize> = (1..=10).filter(|pair| input[pair - 1] != input[20 - pair]).collect();
        assert_eq!(broken, [pair.parse::<usize>().unwrap()]);
        assert_eq!((worst["predicted"].as_u64(), worst["expected"].as_u64()), (Some(1), Some(0)), "{worst}");
        assert!(worst["margin"].as_f64().unwrap() < -5.0, "{worst}");
    }
    assert!(
        answer(&[model, "--family", "broken_pair=4", "--work", "5000"])
            .contains("is wrong: palindrome (expected no palindrome")
    );
}

#[test]
fn a_wrong_sum_is_found_and_the_nearest_to_a_right_one() {
    let Some(model) = reference("sum/sum_model.pt") else { return };
    let model = model.to_str().unwrap();
    let found = json(&[model, "--work", "60000"]);
    let worst = &found["found"][0];
    let digit = |at: usize| worst["input"][at].as_u64().unwrap();
    let number = |from: usize| (from..from + 4).fold(0, |number, at| 10 * number + digit(at));
    let place = worst["position"].as_u64().unwrap() - 9;
    let expected = (number(0) + number(4)) / 10_u64.pow(3 - place as u32) % 10;
    assert_eq!(worst["expected"].as_u64(), Some(expected), "{worst}");
    assert!(worst["predicted"] != worst["expected"] && worst["margin"].as_f64().unwrap() < 0.0, "{worst}");
    assert_eq!(found["task"]["name"], "sum");
    // The published model's own wrong sum, one digit changed.
    let near = json(&[model, "--near", "1005+0005"]);
    assert_eq!(near["changes"], 1, "{near}");
}

#[test]
fn what_an_attack_cannot_do_is_one_line() {
    let folder = TempDir::new().unwrap();
    let model = trained(&folder, "palindrome(half_length=2,max_value=3)", &["--n-layers", "1"]);
    assert!(answer(&[&model]).contains("all inputs were run"));
    assert!(answer(&[&model, "--families", "--work", "2000"]).contains("broken_pairs=1+2"));
    for (arguments, line) in [
        (["--values", "1..3"], "--values: expected a model of the task sorted_list, found palindrome"),
        (["--family", "pair=1"], "family: expected broken_pair, broken_pairs, found pair"),
        (["--family", "broken_pair=7"], "member of broken_pair: expected none, 1, 2, found 7"),
        (["--position", "2"], "position: expected one that predicts: 5, found 2"),
        (["--near", "1,2"], "list: expected 4 values, found 2"),
        (["--count", "0"], "--count: expected at least 1, found 0"),
    ] {
        let said = refusal(&[&[&*model], &arguments[..]].concat());
        assert!(said.ends_with(line), "{said}");
    }
}

/// Sorting models that proofs do not cover are searched like those of other tasks, within the same restrictions.
#[test]
fn sorting_models_beyond_proofs_are_searched() {
    let folder = TempDir::new().unwrap();
    let model = trained(&folder, "sorted_list(list_len=4,max_value=20)", &["--n-layers", "2"]);
    let flags = ["--values", "3..12", "--order", "ascending", "--min-gap", "2", "--work", "3000", "--count", "3"];
    let found = json(&[&[&*model], &flags[..]].concat());
    for found in found["found"].as_array().unwrap() {
        let input: Vec<u64> = found["input"].as_array().unwrap().iter().map(|token| token.as_u64().unwrap()).collect();
        assert!(input.is_sorted() && input.iter().all(|value| (3..=12).contains(value)), "{found}");
        let prediction = found["position"].as_u64().unwrap() as usize - 4;
        assert!(prediction > 0 && input[prediction] - input[prediction - 1] >= 2, "{found}");
        assert_eq!(found["expected"].as_u64(), Some(input[prediction]));
    }
}
