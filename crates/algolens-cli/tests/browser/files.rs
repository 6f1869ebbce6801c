//! The figures that are written as files, beside those of the page.

use super::{open, proof::PROVED};
use serde_json::Value;
use std::fs;

/// The words of a picture, in their order.
fn words(svg: &str) -> String {
    let texts = svg.split("<text ").skip(1).filter_map(|rest| rest.split_once(">\n")?.1.split_once("\n</text>"));
    texts.map(|(text, _)| text).collect::<Vec<_>>().join(" ")
}

/// Whether a cell of a file is that of the page, of which the certificate's numbers are rounded.
fn same(cell: &str, shown: &Value, figure: &str) -> bool {
    match (cell.parse::<f64>(), shown.as_f64()) {
        (Ok(written), Some(shown)) => {
            let off = match figure {
                "class-map" => 6e-4 * shown.abs(),
                "counterexample" => 0.5,
                _ => 1e-6 * shown.abs().max(1e-3),
            };
            (written - shown).abs() <= off
        }
        _ => *cell == *shown.as_str().unwrap_or_default(),
    }
}

#[test]
fn files_of_figures_are_those_of_the_page_as_it_opens() {
    let file = |name: String| fs::read_to_string(PROVED.path().join("figures").join(name)).unwrap();
    let Some(report) = open(&PROVED.path().join("page.html"), "") else { return };
    let shown = report.evaluate(
        "window.algolens.figures.map(f => ({name: f.name, title: f.caption.textContent, rows: f.kind.rows(f)}))",
    );
    let shown = shown.as_array().unwrap();
    assert!(shown.len() > 20, "{}", shown.len());
    for figure in shown {
        let name = figure["name"].as_str().unwrap();
        let (svg, csv) = (file(format!("{name}.svg")), file(format!("{name}.csv")));
        let title = figure["title"].as_str().unwrap();
        assert!(words(&svg).starts_with(title), "{name}: {title}: {}", words(&svg));
        let rows = figure["rows"].as_array().unwrap();
        assert_eq!(csv.lines().count(), rows.len(), "{name}");
        for (line, row) in csv.lines().zip(rows) {
            // No name of this task has a quote in it.
            let quoted = line
                .split('"')
                .enumerate()
                .map(|(at, part)| if at % 2 == 1 { part.replace(',', "\n") } else { part.into() });
            let cells: Vec<String> =
                quoted.collect::<String>().split(',').map(|cell| cell.replace('\n', ",")).collect();
            let row = row.as_array().unwrap();
            assert_eq!(cells.len(), row.len(), "{name}: {line}");
            let other = cells.iter().zip(row).find(|(cell, shown)| !same(cell, shown, name));
            assert_eq!(other, None, "{name}: {line}");
        }
    }
}
