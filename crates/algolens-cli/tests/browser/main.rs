//! The report in Chromium: the numbers of its figures are those of the study, and it does what it should.

mod chromium;
mod figures;
mod files;
mod page;
mod proof;
mod sheet;

#[expect(dead_code, reason = "an example is a program too")]
#[path = "../../../algolens-own-tasks/examples/own_task.rs"]
mod own_task;

use algolens::task::{Registry, SortedList};
use algolens_testing::{npy, write_npz};
use assert_cmd::Command;
use figures::Study;
use page::{Heard, Report};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};
use tempfile::TempDir;
use zip::CompressionMethod;

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/sorted_list.safetensors");

/// The study of our model, with the page that it ends with and one with a log.
static STUDIED: LazyLock<(TempDir, Study)> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("study");
    algolens(&["study", MODEL, "--quiet", "--out", out.to_str().unwrap()]);
    let study = Study::read(&out);
    (folder, study)
});

fn algolens(arguments: &[&str]) {
    let output = Command::cargo_bin("algolens").unwrap().args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn study_page() -> PathBuf {
    STUDIED.0.path().join("study/report.html")
}

/// A page that is open and drawn, or none without a browser.
fn open(page: &Path, fragment: &str) -> Option<Report> {
    let report = Report::open(page, fragment)?;
    report.draw_all();
    Some(report)
}

fn state(report: &Report, key: &str) -> Value {
    report.evaluate(&format!("window.algolens.state.{key}"))
}

#[test]
fn figures_show_the_numbers_of_the_study() {
    let Some(report) = open(&study_page(), "#list=0") else { return };
    let study = &STUDIED.1;
    assert_eq!(study.differences(&report, 0), Vec::<String>::new());
    // Another list from the menu: every figure of it follows.
    report.evaluate(
        "void (() => { const menu = document.querySelector('#strip select'); menu.value = '11'; \
         menu.dispatchEvent(new Event('change', {bubbles: true})); })()",
    );
    report.draw_all();
    assert_eq!(state(&report, "list"), 11);
    assert_eq!(study.differences(&report, 11), Vec::<String>::new());
    assert_eq!(report.heard(), Heard::default());
}

/// A page of every task, of a model that has learnt little: it opens without a complaint, and none but sorting's speaks of sorting.
#[test]
fn every_task_has_a_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (spec, _) in Registry::default().defaults() {
        let (task, model, out) = (spec.to_string(), path(&format!("{}.safetensors", spec.name)), path(&spec.name));
        let sizes = ["--train-size", "2048", "--validation-size", "128", "--batch-size", "256", "--epochs", "1"];
        let trained = ["train", "--task", &task, "--quiet", "--out", &model];
        algolens(&[&trained[..], &sizes].concat());
        algolens(&["study", &model, "--quiet", "--out", &out]);
        let Some(report) = open(&Path::new(&out).join("report.html"), "#list=0") else { return };
        assert_eq!(report.heard(), Heard::default(), "{task}");
        assert_eq!(Study::read(Path::new(&out)).of_any_task(&report, 0), Vec::<String>::new(), "{task}");
        let text = report.evaluate("document.body.innerText.toLowerCase()");
        let text = text.as_str().unwrap();
        for word in ["sort", "the post"] {
            assert!(spec.name == "sorted_list" || !text.contains(word), "{task} speaks of {word}");
        }
    }
}

/// A study of data, with some of the tokens and classes: rows and columns are theirs.
#[test]
fn a_page_shows_the_tokens_that_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let tokens = SortedList::new(10, 50).unwrap().dataset(30, 1).tokens().mapv(i64::from).into_dyn();
    write_npz(Path::new(&path("data.npz")), &[("tokens", npy(tokens))], CompressionMethod::Stored);
    let asked = ["--show-tokens", "45..50,3,SEP", "--show-classes", "3,7,48..50"];
    algolens(
        &[&["study", MODEL, "--data", &path("data.npz"), "--quiet", "--out", &path("study")], &asked[..]].concat(),
    );
    let study = Study::read(&folder.path().join("study"));
    assert_eq!(study.results["shown"]["tokens"], json!([45, 46, 47, 48, 49, 50, 3, 51]));
    let Some(report) = open(&folder.path().join("study/report.html"), "#list=1") else { return };
    assert_eq!(study.vocabulary(&report, 1), Vec::<String>::new());
    assert_eq!(state(&report, "token"), 49);
    let ticks = "document.querySelector('#fig-qk-0 .plot').layout.yaxis.ticktext";
    assert_eq!(report.evaluate(ticks), json!(["45", "46", "47", "48", "49", "50", "3", "SEP"]));
    // A token that is not shown is not chosen; a click on a row chooses its token.
    report.evaluate("window.algolens.setState({token: 20})");
    assert_eq!(state(&report, "token"), 49);
    report.click("#fig-qk-0 .plot .nsewdrag", (0.5, 0.97));
    assert_eq!(state(&report, "token"), 51);
    // The answers that are shown have rings: each of the list's that is asked for, in its row.
    let rings = "(() => { const plot = document.querySelector('#fig-probs .plot'); \
                 return plot.data.find(t => t.name === 'right answer').y.map(row => plot.layout.yaxis.ticktext[row]); })()";
    let right = study.results["lists"][1]["prediction"]["expected"].as_array().unwrap();
    let classes = study.results["shown"]["classes"].as_array().unwrap();
    let expected: Vec<String> = right.iter().filter(|class| classes.contains(class)).map(Value::to_string).collect();
    assert_eq!(report.evaluate(rings), json!(expected));
    std::fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join("shown.png"), report.picture(1280)).unwrap();
    assert_eq!(report.heard(), Heard::default());
}

/// A changed number in the page is found: the comparison above can fail.
#[test]
fn a_changed_figure_is_noticed() {
    let page = std::fs::read_to_string(study_page()).unwrap();
    for (changed, figure) in
        [("\"W_OV_full\":{\"shape\"", "ov-"), ("\"pattern\":{\"shape\"", "pattern"), ("\"probs\":{\"shape\"", "probs")]
    {
        let start = page.find(changed).unwrap();
        let data = start + page[start..].find("\"data\":\"").unwrap() + "\"data\":\"".len();
        // The highest byte of the first number: another exponent.
        let other = if page[data + 4..].starts_with('Q') { "Pz" } else { "QA" };
        let tampered = STUDIED.0.path().join("tampered.html");
        std::fs::write(&tampered, format!("{}{other}{}", &page[..data + 4], &page[data + 6..])).unwrap();
        let Some(report) = open(&tampered, "") else { return };
        let found = STUDIED.1.differences(&report, 0);
        assert!(found.iter().any(|difference| difference.contains(figure)), "{changed}: {found:?}");
    }
}

#[test]
fn keyboard_mouse_and_slider_change_one_selection() {
    let Some(report) = open(&study_page(), "#list=10&query=12") else { return };
    assert_eq!([state(&report, "list"), state(&report, "query")], [json!(10), json!(12)]);
    // Arrow keys on the strip.
    report.press_arrow_right("#strip [tabindex='0']");
    assert_eq!(state(&report, "query"), 13);
    report.wait_until("location.hash.includes('query=13')");
    // A click on the pattern chooses a cell, whose score is split.
    let before = report.evaluate("document.querySelector('#fig-terms figcaption').textContent");
    report.click("#fig-pattern .plot .nsewdrag", (0.03, 0.93));
    assert_ne!(state(&report, "key"), Value::Null);
    assert_ne!(report.evaluate("document.querySelector('#fig-terms figcaption').textContent"), before);
    // The slider redraws the bars.
    let bars = "document.querySelector('#fig-qk-bar .plot').data.map(trace => Array.from(trace.y))";
    let before = report.evaluate(bars);
    report.press_arrow_right("#fig-qk-bar input[type=range]");
    assert_ne!(report.evaluate(bars), before);
    // Hovering names a cell.
    report.hover("#fig-ov-0 .plot .nsewdrag", (0.5, 0.5));
    let label = report.evaluate("document.querySelector('#fig-ov-0 .hoverlayer').textContent");
    assert!(label.as_str().unwrap().contains("25"), "{label}");
    // A button of a table selects its list.
    report.click("#adversarial [data-list='10']", (0.5, 0.5));
    assert_eq!(state(&report, "list"), 10);
    // The theme, by its button.
    let colour = "getComputedStyle(document.body).backgroundColor";
    let before = report.evaluate(colour);
    report.click("#theme", (0.5, 0.5));
    assert_ne!(report.evaluate(colour), before);
    assert_eq!(report.heard(), Heard::default());
}

#[test]
fn it_is_looked_at_at_both_widths_and_in_both_themes() {
    let Some(report) = open(&study_page(), "") else { return };
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&folder).unwrap();
    for (width, height) in [(1280, 900), (390, 844)] {
        for theme in ["light", "dark"] {
            report.resize(width, height);
            report.prefer(theme);
            report.draw_all();
            let overflow = report.evaluate("document.documentElement.scrollWidth - window.innerWidth");
            assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow} px too wide");
            std::fs::write(folder.join(format!("report-{width}-{theme}.png")), report.picture(width)).unwrap();
        }
    }
    // The picture of the README: the post's first adversarial list at the step over its gap, above the circuits.
    report.resize(1280, 1000);
    report.prefer("light");
    report.evaluate("window.algolens.setState({list: 10, query: 11, key: null})");
    report.evaluate("void document.querySelector('#circuits').scrollIntoView()");
    report.settle();
    let picture = report.screenshot();
    assert!(picture.len() < 300_000, "{} bytes", picture.len());
    std::fs::write(folder.join("readme.png"), picture).unwrap();
    assert_eq!(report.heard(), Heard::default());
}

/// All eight sections, each with a caption; every figure named; nothing moves after the first look.
#[test]
fn every_section_and_figure_says_what_it_shows() {
    let Some(report) = open(&study_page(), "") else { return };
    let sections = report.evaluate("[...document.querySelectorAll('main > section')].map(s => s.id)");
    assert_eq!(
        sections,
        json!(["model", "predictions", "attention", "ablation", "circuits", "adversarial", "triples", "findings"])
    );
    let silent = report.evaluate(
        "[...document.querySelectorAll('main > section')].filter(s => !s.querySelector('.caption').textContent.trim()).length \
         + [...document.querySelectorAll('figure .plot')].filter(p => !p.getAttribute('aria-label')).length",
    );
    assert_eq!(silent, 0);
    let findings = report.evaluate("document.querySelectorAll('#findings tr[id]').length");
    assert_eq!(findings.as_u64().unwrap() as usize, STUDIED.1.results["findings"].as_array().unwrap().len());
    let dangling = report.evaluate(
        "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.getElementById(a.hash.slice(1))).length",
    );
    assert_eq!(dangling, 0);
    let unnamed = report.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter(e => !(e.textContent.trim() || e.labels?.length \
         || e.getAttribute('aria-label'))).length",
    );
    assert_eq!(unnamed, 0);
}

/// The report of the example of an own task, from its definition on.
#[test]
fn a_task_of_ones_own_has_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("majority.html");
    let accuracy = own_task::make(&path).unwrap();
    // Most of the bits is the commoner answer in half of the lists.
    assert!(accuracy > 0.95, "{accuracy}");
    let Some(report) = open(&path, "") else { return };
    let sections = report.evaluate("[...document.querySelectorAll('main > section')].map(s => s.id)");
    assert_eq!(sections, json!(["model", "predictions", "attention", "ablation", "circuits", "attribution", "worst"]));
    let bar = report.evaluate("document.querySelector('#bar b').textContent");
    assert_eq!(bar, format!("{:.2} %", 100.0 * accuracy));
    // The answer is no next token: it stands at the token that it is given at.
    let answers =
        report.evaluate("[...document.querySelectorAll('#strip .chip')].map(c => c.querySelector('.answer') !== null)");
    assert_eq!(answers, json!((0..10).map(|position| position == 9).collect::<Vec<_>>()));
    let empty = report.evaluate(
        "[...document.querySelectorAll('figure[data-figure] .plot')].filter(p => p.matches('.empty') || \
         !p.firstElementChild).map(p => p.parentElement.id)",
    );
    assert_eq!(empty, json!([]));
    for (width, height) in [(1280, 900), (390, 844)] {
        report.resize(width, height);
        report.draw_all();
        let overflow = report.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow} px too wide");
    }
    assert_eq!(report.heard(), Heard::default());
}

/// Names from outside are text, never markup; a training log becomes a curve; one head or eight stand alike.
#[test]
fn hostile_names_logs_and_other_shapes_stand() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let hostile = path("<img src=x onerror=document.title=1><script>document.title=1<∕script>.safetensors");
    for (heads, layers) in [("1", "1"), ("8", "2")] {
        let small = ["--list-len", "4", "--max-value", "9", "--d-model", "16", "--d-head", "4", "--epochs", "2"];
        let sizes = ["--train-size", "600", "--validation-size", "100", "--n-heads", heads, "--n-layers", layers];
        algolens(&[&["train", "--quiet", "--out", &hostile], &small[..], &sizes[..]].concat());
        let out = path("hostile.html");
        algolens(&["report", &hostile, "--quiet", "--out", &out]);
        let Some(report) = open(Path::new(&out), "") else { return };
        assert_eq!(report.heard(), Heard::default());
        assert!(report.evaluate("document.title").as_str().unwrap().starts_with("<img"));
        assert_eq!(report.evaluate("document.querySelectorAll('img').length"), 0);
        let curve = report.evaluate("document.querySelector('#fig-training .plot').data[0].y.length");
        assert_eq!(curve, 2);
        // The epoch that the curve marks is the one that the table says was kept.
        let kept = report.evaluate("document.querySelector('#model').textContent.match(/kept\\s*epoch (\\d+)/)[1]");
        let marked = report.evaluate("document.querySelector('#fig-training').textContent");
        assert!(marked.as_str().unwrap().contains(&format!("epoch {}", kept.as_str().unwrap())), "{kept}: {marked}");
        let empty = report.evaluate(
            "[...document.querySelectorAll('figure[data-figure] .plot')].filter(p => !p.firstElementChild).map(p => \
             p.parentElement.id)",
        );
        assert_eq!(empty, json!([]));
    }
}
