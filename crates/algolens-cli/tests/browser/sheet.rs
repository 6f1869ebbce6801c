//! A page of no single model: its menus, its dots, and where a click on them leads.

use super::{
    open,
    page::{Heard, Report},
};
use algolens::interpret::{Figure, Item, Plot, Section, Unit, Verdict};
use algolens_report::Sheet;
use ndarray::Array2;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path};

const UNITS: [Unit; 10] = [
    Unit::Share,
    Unit::Points,
    Unit::Count,
    Unit::Value,
    Unit::Ratio,
    Unit::Deviations,
    Unit::Logits,
    Unit::Nats,
    Unit::Probability,
    Unit::Accuracy,
];
const RUNS: usize = 40;

/// The number of a run for a claim: some of the first claim are the same, others are below zero.
fn number(run: usize, claim: usize) -> f32 {
    if claim == 0 && run > 3 { 0.75 } else { (run as f32 - 7.0) / 3.0 * (1.0 + claim as f32) }
}

fn sheet() -> Sheet {
    let names: Vec<String> = (0..RUNS).map(|run| format!("seed {run}")).collect();
    let links: Vec<Option<String>> =
        (0..RUNS).map(|run| (run % 2 == 0).then(|| format!("reports/run-{run}.html"))).collect();
    let columns = Array2::from_shape_fn((RUNS, 3), |(run, column)| match column {
        0 => [32.0, 64.0][2 * run / RUNS],
        1 if run == 1 => f32::NAN,
        1 => 0.25 + run as f32,
        _ => run as f32 - 8.0,
    });
    let numbers = Array2::from_shape_fn((RUNS, UNITS.len()), |(run, claim)| number(run, claim));
    let verdicts = Array2::from_shape_fn((RUNS, UNITS.len()), |(run, claim)| ((run + claim) % 4) as f32);
    let arrays = [("columns", columns), ("numbers", numbers), ("verdicts", verdicts)];
    let runs = Plot::Runs {
        values: "columns".into(),
        columns: ["d_model", "loss", "surplus"].map(String::from).to_vec(),
        names: names.clone(),
        links: links.clone(),
        chosen: [0, 1],
    };
    let strips = Plot::Strips {
        values: "numbers".into(),
        verdicts: "verdicts".into(),
        names: UNITS
            .iter()
            .map(|unit| format!("What has the unit {unit:?} is and a name of so many words that it takes lines"))
            .collect(),
        units: UNITS.to_vec(),
        runs: names,
        links,
    };
    let section = |id: &str, plot| {
        let figure = Figure { id: id.into(), title: id.into(), how: String::new(), plot };
        let (id, title) = (format!("of-{id}"), id.to_owned());
        Section {
            id,
            title,
            headline: String::new(),
            caption: "What runs have.".into(),
            items: vec![Item::Figure(figure)],
        }
    };
    Sheet {
        title: "Runs".into(),
        headline: "of one task".into(),
        origin: "a test".into(),
        sections: vec![section("runs", runs), section("strips", strips)],
        arrays: arrays.map(|(name, array)| (name.to_owned(), array.into_dyn())).into(),
    }
}

/// What an expression comes to of the plot of a figure.
fn of_plot(report: &Report, figure: &str, expression: &str) -> Value {
    report.evaluate(&format!("(plot => {expression})(document.querySelector('#fig-{figure} .plot'))"))
}

#[test]
fn runs_and_strips_show_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let sheet = sheet();
    let path = folder.path().join("sweep.html");
    fs::write(&path, sheet.page().unwrap()).unwrap();
    let Some(report) = open(&path, "") else { return };
    // The tables are those of the files.
    for file in sheet.figures().unwrap() {
        let of_page = "f.kind.rows(f).map(row => row.map(cell => cell ?? ''))";
        let rows = report
            .evaluate(&format!("(f => {of_page})(window.algolens.figures.find(f => f.name === '{}'))", file.name));
        // No cell has a comma but a last one.
        let of_file = file.csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let rows = rows.as_array().unwrap();
        assert_eq!(file.csv.lines().count(), rows.len());
        for (cells, row) in of_file.zip(rows) {
            let same = |(cell, shown): (&&str, &Value)| match shown {
                Value::Number(number) => cell.parse::<f32>().ok() == number.as_f64().map(|number| number as f32),
                shown => shown.as_str().is_some_and(|words| words.starts_with(cell.trim_matches('"'))),
            };
            assert!(cells.iter().zip(row.as_array().unwrap()).all(same), "{}: {cells:?} {row}", file.name);
        }
    }
    // Every dot says its run, and its number as tables of a study have it.
    let said = of_plot(&report, "strips", "plot.data.flatMap(trace => trace.text.map(text => [trace.name, text]))");
    let said: BTreeSet<(String, String)> = serde_json::from_value(said).unwrap();
    let expected = (0..RUNS).flat_map(|run| {
        UNITS.iter().enumerate().map(move |(claim, unit)| {
            let verdict = Verdict::ALL[(run + claim) % 4].words().to_owned();
            (verdict, format!("seed {run}: {}", unit.number(f64::from(number(run, claim)))))
        })
    });
    let others: Vec<_> = expected.filter(|expected| !said.contains(expected)).collect();
    assert!(others.is_empty(), "{others:?} {said:?}");
    // No dot hides another, also where many runs have one number.
    let places = "new Set(plot.data.flatMap(t => t.x.map((x, i) => `${x.toFixed(1)} ${t.y[i].toFixed(1)}`))).size";
    assert_eq!(of_plot(&report, "strips", places), RUNS * UNITS.len());
    assert_eq!(of_plot(&report, "runs", places), RUNS - 1);
    // There is no list to be remembered, but where the reader is.
    report.wait_until("location.hash === '#s=of-runs'");
    for (width, theme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        report.resize(width, 900);
        report.prefer(theme);
        report.draw_all();
        let overflow = report.evaluate("document.documentElement.scrollWidth - window.innerWidth");
        assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow} px too wide");
        let name = format!("sheet-{width}-{theme}.png");
        fs::write(Path::new(env!("CARGO_TARGET_TMPDIR")).join(name), report.picture(width)).unwrap();
    }
    assert_eq!(report.heard(), Heard::default());
}

#[test]
fn menus_choose_columns_and_dots_lead_to_their_pages() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sweep.html");
    fs::write(&path, sheet().page().unwrap()).unwrap();
    let reports = folder.path().join("reports");
    fs::create_dir(&reports).unwrap();
    for run in 0..RUNS {
        fs::write(reports.join(format!("run-{run}.html")), "<!DOCTYPE html><title>A run</title>").unwrap();
    }
    let Some(report) = open(&path, "") else { return };
    let axes = "[plot.layout.xaxis, plot.layout.yaxis].map(axis => [axis.title.text, axis.type])";
    assert_eq!(of_plot(&report, "runs", axes), json!([["d_model", "linear"], ["loss", "linear"]]));
    let boxes = "[...document.querySelectorAll('#fig-runs input')].map(box => box.disabled)";
    assert_eq!(report.evaluate(boxes), json!([false, false]));
    report.click("#fig-runs fieldset:nth-of-type(2) input", (0.5, 0.5));
    assert_eq!(of_plot(&report, "runs", axes), json!([["d_model", "linear"], ["loss", "log"]]));
    // The next column has numbers below zero, and no logarithms.
    report.press_arrow_right("#fig-runs fieldset:nth-of-type(2) select");
    assert_eq!(of_plot(&report, "runs", axes), json!([["d_model", "linear"], ["surplus", "linear"]]));
    assert_eq!(report.evaluate(boxes), json!([false, true]));
    let unnamed = report.evaluate(
        "[...document.querySelectorAll('button, select, input')].filter(e => !(e.textContent.trim() || e.labels?.length \
         || e.getAttribute('aria-label'))).length",
    );
    assert_eq!(unnamed, 0);
    assert_eq!(report.heard(), Heard::default());
    // A click on the dot of a run that has a page.
    let at = "(() => { const { xaxis: x, yaxis: y } = plot._fullLayout; const trace = plot.data[1]; \
              const i = trace.customdata.indexOf('reports/run-38.html'); \
              return [x.d2p(trace.x[i]) / x._length, y.d2p(trace.y[i]) / y._length]; })()";
    let at = of_plot(&report, "runs", at);
    report.click("#fig-runs .plot .nsewdrag", (at[0].as_f64().unwrap(), at[1].as_f64().unwrap()));
    report.wait_until("location.pathname.endsWith('/reports/run-38.html')");
}
