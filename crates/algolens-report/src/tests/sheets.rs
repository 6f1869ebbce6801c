//! A page of no single model has its sections and figures, and says what it lacks.

use super::values;
use crate::{FigureFile, Sheet};
use algolens::interpret::{Cell, Figure, Item, Note, Plot, Section, ShownAt, Table, Unit, Verdict};
use ndarray::{ArrayD, arr2};
use std::collections::BTreeSet;

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).into()).collect()
}

fn figure(id: &str, plot: Plot) -> Item {
    Item::Figure(Figure { id: id.into(), title: format!("About {id}"), how: "A dot is a run.".into(), plot })
}

fn section(id: &str, items: Vec<Item>) -> Section {
    Section { id: id.into(), title: id.into(), headline: "3 runs".into(), caption: "What was found.".into(), items }
}

fn link(href: &str) -> Cell {
    Cell::Link { words: "seed 0".into(), href: href.into() }
}

fn links() -> Vec<Option<String>> {
    vec![Some("reports/run-0.html".into()), None, None]
}

fn runs() -> Plot {
    Plot::Runs {
        values: "columns".into(),
        columns: words(&["d_model", "loss, in nats"]),
        names: words(&["seed 0", "seed 1", "</script>"]),
        links: links(),
        chosen: [0, 1],
    }
}

fn strips() -> Plot {
    Plot::Strips {
        values: "numbers".into(),
        verdicts: "verdicts".into(),
        names: words(&["A head attends to the smallest larger token", "Heads divide the values", "No run was asked"]),
        units: vec![Unit::Share, Unit::Count, Unit::Nats],
        runs: words(&["seed 0", "seed 1", "seed 2"]),
        links: links(),
    }
}

fn sheet() -> Sheet {
    let blank = f32::NAN;
    let arrays = [
        ("columns", arr2(&[[32.0, 0.25], [32.0, 0.5], [64.0, blank]]).into_dyn()),
        ("numbers", arr2(&[[1.0, 3.0, blank], [0.5, 3.0, blank], [blank, 3.0, blank]]).into_dyn()),
        ("verdicts", arr2(&[[0.0, 0.0, 4.0], [3.0, 2.0, 4.0], [4.0, 1.0, 4.0]]).into_dyn()),
        ("bars", arr2(&[[1.0], [2.0]]).into_dyn()),
    ];
    let rows = vec![vec![link("reports/run-0.html"), Cell::Number(0.25, Unit::Nats)]];
    let table = Table { id: "best".into(), caption: "The best".into(), columns: words(&["run", "loss"]), rows };
    let bars = Plot::Bars {
        values: "bars".into(),
        names: words(&["a", "b"]),
        series: words(&["runs"]),
        unit: "number".into(),
    };
    let note = Note { title: None, lines: words(&["By `algolens`."]) };
    Sheet {
        title: "Three runs".into(),
        headline: "one task".into(),
        origin: "algolens, seeds 0 to 2".into(),
        sections: vec![
            section("runs", vec![Item::Table(table), figure("plane", runs())]),
            section("claims", vec![figure("strips", strips())]),
            section("about", vec![Item::Row(vec![figure("counts", bars), Item::Note(note)])]),
        ],
        arrays: arrays.map(|(name, array)| (name.to_owned(), array)).into(),
    }
}

/// What is said of a sheet that is spoilt, by its page and by its figures.
fn said(spoil: impl Fn(&mut Sheet)) -> String {
    let mut sheet = sheet();
    spoil(&mut sheet);
    let [of_page, of_figures] =
        [sheet.page().unwrap_err(), sheet.figures().unwrap_err()].map(|error| error.to_string());
    assert_eq!(of_page, of_figures);
    of_page
}

/// What is said of a sheet with another item.
fn said_of(item: &Item) -> String {
    said(|sheet| sheet.sections[2].items.push(item.clone()))
}

#[test]
fn a_page_has_its_sections_links_and_figures() {
    let page = sheet().page().unwrap();
    let (links, ids) = (values(&page, " href=\"#"), values(&page, " id=\""));
    assert!(links == BTreeSet::from(["runs", "claims", "about"]) && links.is_subset(&ids), "{links:?}");
    assert!(page.contains("<p>one task</p>") && page.contains("<a href=\"reports/run-0.html\">seed 0</a>"));
    assert!(page.contains("<code>algolens</code>") && !page.contains("\"</script>\""));
    for kind in values(&page, " data-figure=\"") {
        assert!(page.contains(&format!("KINDS.{kind} = ")), "{kind}");
    }
    assert_eq!(values(&page, " data-figure=\"").len(), 3);
}

#[test]
fn figures_are_pictures_with_their_numbers() {
    let files = sheet().figures().unwrap();
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names, ["plane", "strips", "counts"]);
    assert!(files.iter().all(|file| file.svg.contains("<metadata>algolens, seeds 0 to 2</metadata>")));
    let [FigureFile { csv: plane, .. }, FigureFile { csv: strips, svg, .. }, _] = &files[..] else { unreachable!() };
    assert_eq!(plane, "run,d_model,\"loss, in nats\"\r\nseed 0,32,0.25\r\nseed 1,32,0.5\r\n</script>,64,\r\n");
    let rows: Vec<&str> = strips.lines().collect();
    assert_eq!(rows.len(), 10);
    assert_eq!(rows[..2], ["run,claim,value,verdict", "seed 0,A head attends to the smallest larger token,1,holds"]);
    assert_eq!(rows[8], "seed 2,Heads divide the values,3,\"holds, as a control does\"");
    assert_eq!(rows[9], "seed 2,No run was asked,,not asked");
    for words in ["1 of 2 hold", "1 of 3 hold", "no run was asked", "50.0 %", "100.0 %", "holds partly", "fails"] {
        assert!(svg.contains(words), "{words}");
    }
}

#[test]
fn what_a_figure_lacks_is_named() {
    assert_eq!(
        said(|sheet| drop(sheet.arrays.remove("verdicts"))),
        "the array verdicts of the figure strips: expected among the sheet's arrays, found none"
    );
    let other = |name: &'static str, shape: [usize; 2]| {
        said(move |sheet| drop(sheet.arrays.insert(name.into(), ArrayD::zeros(shape.to_vec()))))
    };
    for (name, figure, shape, expected) in [
        ("columns", "plane", [3, 3], "[3, 2]"),
        ("numbers", "strips", [2, 3], "[3, 3]"),
        ("verdicts", "strips", [3, 2], "[3, 3]"),
        ("bars", "counts", [2, 2], "[2, 1]"),
    ] {
        let words = format!("the array {name} of the figure {figure}: expected the shape {expected}, found {shape:?}");
        assert_eq!(other(name, shape), words);
    }
    assert_eq!(
        said(|sheet| sheet.arrays.get_mut("verdicts").unwrap()[[1, 1]] = 5.0),
        "the array verdicts of the figure strips: expected places of verdicts, 0 to 4, found 5"
    );
    let of_runs = |change: fn(&mut Plot)| {
        let mut plot = runs();
        change(&mut plot);
        said_of(&figure("other", plot))
    };
    let fewer = of_runs(|plot| {
        if let Plot::Runs { links, .. } = plot {
            links.clear()
        }
    });
    assert_eq!(fewer, "the links of the figure other: expected 3, found 0");
    let beyond = of_runs(|plot| {
        if let Plot::Runs { chosen, .. } = plot {
            chosen[1] = 2
        }
    });
    assert_eq!(beyond, "the array columns: expected more columns than 2, found 2");
}

#[test]
fn names_are_not_taken() {
    let again = said_of(&figure("plane", runs()));
    assert_eq!(again, "a section or figure of the sheet: expected a name of its own, found fig-plane twice");
    let data = said(|sheet| sheet.sections[0].id = "data".into());
    assert_eq!(data, "a section of the sheet: expected another name than parts of every page have, found data");
    let table = sheet().sections[0].items[0].clone();
    assert_eq!(said_of(&table), "a table of the sheet: expected a name of its own, found best twice");
}

#[test]
fn what_is_of_a_study_is_refused() {
    let pattern = said_of(&figure("heads", Plot::Pattern));
    let kinds = "a kind that is of no single model (bars, lines, blocks, runs, strips)";
    assert_eq!(pattern, format!("the figure heads: expected {kinds}, found pattern"));
    let claims = said_of(&Item::Claims(vec![ShownAt { claim: "copies".into(), at: "runs".into() }]));
    assert_eq!(claims, "the section about: expected no claims, which are of a study, found the claim copies");
    let (id, rows) = ("lists".to_owned(), vec![vec![Cell::Example(1)]]);
    let examples = said_of(&Item::Table(Table { id, caption: String::new(), columns: Vec::new(), rows }));
    assert_eq!(examples, "the table lists: expected no examples, which are of a study, found example 2");
}

#[test]
fn links_stay_in_the_pages_folder() {
    let with = |href: &str| {
        let mut sheet = sheet();
        if let Item::Table(table) = &mut sheet.sections[0].items[0] {
            table.rows[0][0] = link(href);
        }
        sheet.page().map(drop).map_err(|error| error.to_string())
    };
    for href in ["run-3.html", "reports/run-3.html#findings", "a/b.c/..d?x=../y", "#claims", "a/b:c"] {
        assert_eq!(with(href), Ok(()), "{href}");
    }
    for href in [
        "",
        " ",
        "/etc/passwd",
        "//host/x",
        "\\\\host",
        "https://host/",
        "javascript:alert(1)",
        "java\nscript:x",
        " /x",
        "../x.html",
        "reports/../../x",
        "reports/%2E./x",
        "a/..",
        "c:\\x",
    ] {
        let said = with(href).unwrap_err();
        assert!(said.starts_with("a link of the table best: expected a path in the page's folder, found"), "{said}");
    }
    let of_runs = said(|sheet| {
        if let Item::Figure(Figure { plot: Plot::Strips { links, .. }, .. }) = &mut sheet.sections[1].items[0] {
            links[2] = Some("../run.html".into());
        }
    });
    assert_eq!(of_runs, "a link of the figure strips: expected a path in the page's folder, found ../run.html");
}

#[test]
fn verdicts_stand_at_their_places() {
    for (place, verdict) in Verdict::ALL.into_iter().enumerate() {
        assert_eq!(verdict as usize, place);
    }
}
