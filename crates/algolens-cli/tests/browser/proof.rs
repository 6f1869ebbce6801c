//! The map of what is proved, beside the certificate that it is drawn from.

use super::{MODEL, Report, algolens, open, page::Heard};
use assert_cmd::Command;
use serde_json::{Value, json};
use std::{path::Path, sync::LazyLock};
use tempfile::TempDir;

/// What the map holds of a class: the status of its cell, and its number there.
fn cell(maps: &Value, row: usize, column: usize) -> Vec<(&'static str, f64)> {
    let number = |map: &Value| map[row][column].as_f64();
    ["certified", "undecided", "refuted"]
        .into_iter()
        .zip(maps.as_array().unwrap())
        .filter_map(|(status, map)| Some((status, number(map)?)))
        .collect()
}

fn maps(report: &Report) -> Value {
    report.evaluate("document.querySelector('#fig-class-map .plot').data.map(map => map.z.map(row => Array.from(row)))")
}

/// A small model with a certificate, a page, and a folder of figures.
pub static PROVED: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (model, certificate) = (path("small.safetensors"), path("cert.json"));
    let small = ["--list-len", "4", "--max-value", "9", "--d-model", "16", "--d-head", "4", "--epochs", "2"];
    let sizes = ["--train-size", "2000", "--validation-size", "100", "--out", &model];
    algolens(&[&["train", "--quiet"], &small[..], &sizes[..]].concat());
    algolens(&["certify", &model, "--quiet", "--work", "20000", "--lists", "--out", &certificate]);
    let files = ["--proof", &certificate, "--out", &path("page.html"), "--figures", &path("figures")];
    algolens(&[&["report", &model, "--quiet"], &files[..]].concat());
    folder
});

#[test]
fn the_class_map_shows_what_the_certificate_says() {
    let path = |name: &str| PROVED.path().join(name).to_str().unwrap().to_owned();
    let (certificate, page) = (path("cert.json"), path("page.html"));
    let other =
        Command::cargo_bin("algolens").unwrap().args(["report", MODEL, "--proof", &certificate]).output().unwrap();
    let said = String::from_utf8(other.stderr).unwrap();
    assert!(other.status.code() == Some(2) && said.lines().count() == 1 && said.contains("cert.json: model: expected"));

    let proved: Value = serde_json::from_slice(&std::fs::read(&certificate).unwrap()).unwrap();
    let classes = proved["class_status"].as_array().unwrap();
    let wrong = proved["counterexamples"].as_array().unwrap().iter().rfind(|found| found["position"] == 2).unwrap();
    let Some(report) = open(Path::new(&page), "#class=0-SEP-0") else { return };
    let mut cells = 0;
    for position in 0..4_usize {
        let first = classes.iter().position(|class| class["position"] == position).unwrap();
        report.evaluate(&format!("window.algolens.setState({{class: {first}}})"));
        let maps = maps(&report);
        cells += maps
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|map| map.as_array().unwrap())
            .flat_map(|row| row.as_array().unwrap())
            .filter(|number| !number.is_null())
            .count();
        for class in classes.iter().filter(|class| class["position"] == position) {
            let [row, column] = ["token", "target"].map(|key| class[key].as_u64().unwrap_or(0) as usize);
            let shown = cell(&maps, row, column);
            assert_eq!(shown.len(), 1, "{class}: {shown:?}");
            assert_eq!(shown[0].0, class["status"], "{class}");
            if shown[0].0 == "refuted" {
                let expected = (1.0 - class["right"].as_f64().unwrap()).max(1e-6).log10();
                assert!((shown[0].1 - expected).abs() < 1e-3, "{class}: {shown:?}");
            }
        }
    }
    assert_eq!(cells, classes.len());

    // The slider, by its keyboard, then a click on a cell: its list, and the heads' attention to what it sees.
    report.evaluate("window.algolens.setState({class: 0})");
    for _ in 0..2 {
        report.press_arrow_right("#fig-class-map input[type=range]");
    }
    let mut list: Vec<u64> = wrong["list"].as_array().unwrap().iter().map(|value| value.as_u64().unwrap()).collect();
    let words = list.iter().map(u64::to_string).collect::<Vec<_>>().join(" ");
    let unsorted = list.clone();
    list.sort_unstable();
    let (token, target) = (list[1], list[2]);
    let middle = |at: u64| (at as f64 + 0.5) / 10.0;
    report.click("#fig-class-map .plot .nsewdrag", (middle(target), middle(token)));
    report.draw_all();
    let caption = report.evaluate("document.querySelector('#fig-counterexample figcaption').textContent");
    let expected = format!("For {words} the model says {} ", wrong["predicted"]);
    assert!(caption.as_str().unwrap().contains(&expected), "{caption}: {expected}");
    let keys =
        report.evaluate("document.querySelector('#fig-counterexample .plot').layout.xaxis.ticktext.filter(key => key)");
    let seen =
        unsorted.iter().map(u64::to_string).chain(["SEP".to_owned()]).chain(list[..2].iter().map(u64::to_string));
    assert_eq!(keys, Value::from_iter(seen));
    let sums = report.evaluate(
        "document.querySelector('#fig-counterexample .plot').data[0].z.map(row => Math.abs(row.reduce((a, b) => a + b) - 100) < 4)",
    );
    assert_eq!(sums, json!([true, true]));
    report.settle();
    report.settle();
    let hash = report.evaluate("location.hash");
    assert!(hash.as_str().unwrap().contains(&format!("class=2-{token}-{target}")), "{hash}");
    assert_eq!(report.heard(), Heard::default());
}
