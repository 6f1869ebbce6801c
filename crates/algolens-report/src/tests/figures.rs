//! The files of figures hold what the study's arrays hold.

use super::{SMALL, STUDIED, Studied, WITHOUT_CASEBOOK, report};
use crate::{FigureFile, Report, chart::chart, figures, proof::tests::proof, svg::svg};
use algolens::{
    check::certificate::Status,
    interpret::{Figure, Item, Plot, Unit},
};
use ndarray::{ArrayD, Axis, arr2, stack};
use std::collections::BTreeSet;

/// The numbers of an array in their order, after fixing its leading axes.
fn numbers(studied: &Studied, name: &str, lead: &[usize]) -> ArrayD<f32> {
    lead.iter().fold(studied.1[name].clone(), |array, index| array.index_axis(Axis(0), *index).to_owned())
}

/// Adds the kinds that no study of random weights of a small task has.
fn with_all_kinds(studied: &Studied) -> Studied {
    let (mut study, mut arrays) = studied.clone();
    let history =
        arr2(&[[1.0, 2.5, 2.0, 0.25, 0.5, 0.0], [2.0, 1.5, 0.03, 0.75, 1.0, 1.0], [3.0, 0.5, 0.04, 0.75, 1.0, 0.0]]);
    arrays.insert("history".into(), history.into_dyn());
    let blocks = ArrayD::from_shape_fn(vec![5, 2, 3], |at| (at[0] * 6 + at[1] * 3 + at[2]) as f32 / 7.0 - 1.5);
    arrays.insert("blocks".into(), blocks);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let blocks = Plot::Blocks {
        values: "blocks".into(),
        names: names(&["first, with a comma", "second", "third", "fourth", "fifth"]),
        rows: names(&["r", "s"]),
        columns: names(&["a", "b", "c"]),
        unit: "logits".into(),
    };
    arrays.insert("sweep".into(), arr2(&[[0.5, 1.0, 10.0], [0.5, f32::NAN, 100.0]]).into_dyn());
    arrays.insert("verdicts".into(), arr2(&[[0.0, 3.0, 2.0], [1.0, 4.0, 0.0]]).into_dyn());
    let (runs, links) = (names(&["seed 0", "seed 1"]), vec![Some("run-0.html".into()), None]);
    let (values, columns) = ("sweep".to_owned(), names(&["loss", "accuracy", "epochs"]));
    let (names, chosen) = (runs.clone(), [0, 2]);
    let dots = Plot::Runs { values: values.clone(), columns: columns.clone(), names, links: links.clone(), chosen };
    let (verdicts, units) = ("verdicts".into(), vec![Unit::Nats, Unit::Accuracy, Unit::Count]);
    let strips = Plot::Strips { values, verdicts, names: columns, units, runs, links };
    for (id, plot) in [("training", Plot::Training), ("blocks", blocks), ("runs", dots), ("strips", strips)] {
        let figure = Figure { id: id.into(), title: format!("About {id}"), how: String::new(), plot };
        study.sections[0].items.push(Item::Figure(figure));
    }
    (study, arrays)
}

/// The rows of a CSV file, the headings first.
fn read(csv: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut letters = csv.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' if quoted && letters.peek() == Some(&'"') => cell.extend(letters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(letters.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            letter => cell.push(letter),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the last line is ended");
    rows
}

/// What a figure's table must hold: how many cells name a row, and the numbers of all rows in their order.
fn expected(studied: &Studied, plot: &Plot) -> Option<(usize, ArrayD<f32>)> {
    let (study, _) = studied;
    let query = study.positions[study.positions.len() / 2];
    // The axes of heads go behind those that rows go along.
    let heads_last = |array: ArrayD<f32>| {
        let mut order: Vec<usize> = (1..array.ndim()).collect();
        order.push(0);
        array.slice_axis(Axis(0), (..2).into()).permuted_axes(order).as_standard_layout().into_owned()
    };
    let pattern = || numbers(studied, "pattern", &[0]);
    Some(match plot {
        Plot::Training => (0, numbers(studied, "history", &[])),
        Plot::Probs => (1, numbers(studied, "probs", &[0])),
        Plot::Thumbs => (3, pattern()),
        Plot::Pattern => (2, heads_last(pattern())),
        Plot::Tokens => {
            let attends = pattern().index_axis(Axis(1), query).to_owned();
            let attended = pattern().index_axis(Axis(2), query).to_owned();
            (3, stack(Axis(0), &[heads_last(attends).view(), heads_last(attended).view()]).unwrap())
        }
        Plot::Terms => {
            let row = pattern().index_axis(Axis(0), 0).index_axis(Axis(0), query).to_owned();
            let key = (0..row.len()).max_by(|a, b| row[[*a]].total_cmp(&row[[*b]])).unwrap();
            let terms = numbers(studied, "score_terms", &[0]);
            let terms = terms.index_axis(Axis(4), key).index_axis(Axis(3), study.positions.len() / 2).to_owned();
            (1, heads_last(terms))
        }
        Plot::QkBar => {
            let token = study.examples[0].prediction.tokens[query] as usize;
            (2, heads_last(studied.1["W_QK_full"].index_axis(Axis(1), token).to_owned()))
        }
        Plot::Matrix { array, head, .. } => (1, numbers(studied, array, head.as_slice())),
        Plot::Bars { values, .. } => (1, numbers(studied, values, &[])),
        Plot::Lines { values, .. } => (0, numbers(studied, values, &[])),
        Plot::Runs { values, .. } => (1, numbers(studied, values, &[])),
        Plot::Blocks { values, .. } => (3, numbers(studied, values, &[])),
        Plot::Boxes { values, tokens, .. } => (tokens.len(), numbers(studied, values, &[])),
        Plot::Strips { .. } | Plot::ClassMap | Plot::Counterexample => return None,
    })
}

#[test]
fn tables_hold_the_numbers_of_the_arrays() {
    let mut kinds = BTreeSet::new();
    for studied in [&with_all_kinds(&STUDIED)].into_iter().chain(&*WITHOUT_CASEBOOK) {
        let files = figures(&report(studied)).unwrap();
        assert_eq!(files.len(), studied.0.figures().count());
        for (FigureFile { name, csv, .. }, figure) in files.iter().zip(studied.0.figures()) {
            assert_eq!(*name, figure.id);
            let Some((named, expected)) = expected(studied, &figure.plot) else { continue };
            let rows = read(csv);
            assert!(rows.len() > 1 && rows.iter().all(|row| row.len() == rows[0].len()), "{name}: {rows:?}");
            let cells = rows[1..].iter().flat_map(|row| &row[named..]);
            let found: Vec<f32> =
                cells.map(|cell| if cell.is_empty() { f32::NAN } else { cell.parse().unwrap() }).collect();
            let total = if matches!(figure.plot, Plot::Terms) { 2 } else { 0 };
            assert_eq!(found.len(), expected.len() + total, "{name}");
            let same = |(a, b): (&f32, &f32)| a == b || a.is_nan() && b.is_nan();
            assert!(found.iter().zip(&expected).all(same), "{name}: {found:?} {expected}");
            if total > 0 {
                for head in 0..2 {
                    let sum: f32 = expected.iter().skip(head).step_by(2).sum();
                    assert!((found[expected.len() + head] - sum).abs() < 1e-5, "{name}: {found:?}");
                }
            }
            kinds.insert(figure.plot.kind());
        }
    }
    assert_eq!(kinds.len(), 13, "{kinds:?}");
}

#[test]
fn the_first_heading_and_row_are_those_of_the_page() {
    let studied = with_all_kinds(&STUDIED);
    let files = figures(&report(&studied)).unwrap();
    let head = |name: &str| {
        let csv = &files.iter().find(|file| file.name == name).unwrap().csv;
        read(csv).into_iter().take(2).map(|row| row.join("|")).collect::<Vec<_>>()
    };
    let tokens = studied.0.examples[0].prediction.tokens.clone();
    assert_eq!(
        head("training"),
        ["epoch|train_loss|validation_loss|train_accuracy|validation_accuracy|best", "1|2.5|2|0.25|0.5|0"]
    );
    assert!(head("blocks")[1].starts_with("first, with a comma|r|a|-1.5"), "{:?}", head("blocks"));
    assert_eq!(head("pattern")[0], "query|key|head 0.0|head 0.1");
    assert!(head("pattern")[1].starts_with(&format!("{0} (0)|{0} (0)|1|1", tokens[0])), "{:?}", head("pattern"));
    assert_eq!(head("ov-0")[0], "source token \\ prediction|0|1|2|3|4|5|6|7|8|SEP");
    assert!(head("triples-all")[0].starts_with("x|y|z|pred = y, src = y|"), "{:?}", head("triples-all"));
}

#[test]
fn a_proof_has_its_figures() {
    // The class that costs most is undecided at first, then refuted by a list.
    let undecided = proof();
    let mut refuted = proof();
    refuted.certificate.class_status[1].status = Status::Certified;
    refuted.certificate.class_status[1].right = 1.0;
    let files = |proof| {
        let report = Report { proof: Some(proof), ..report(&SMALL) };
        let files = figures(&report).unwrap();
        let [map, list] =
            ["class-map", "counterexample"].map(|name| files.iter().find(|file| file.name == name).unwrap().clone());
        (read(&map.csv), read(&list.csv), map.svg, list.svg)
    };
    let (map, list, _, picture) = files(&undecided);
    let words = ["position", "d", "y", "status", "share", "not proved right", "proved wrong"].join("|");
    assert_eq!(map.iter().map(|row| row.join("|")).collect::<Vec<_>>()[0], words);
    assert_eq!(
        map[1..].iter().map(|row| row[..4].join("|")).collect::<Vec<_>>(),
        ["0|SEP|0|right on every list", "0|SEP|1|undecided"]
    );
    assert_eq!(map[2][5..], ["0.5", "0.25"]);
    assert_eq!(list, [["class", "status"], ["0-SEP-1", "undecided"]]);
    assert!(picture.contains("Undecided: neither proved"));
    let (map, list, _, picture) = files(&refuted);
    assert_eq!(map[1..].iter().map(|row| row[..4].join("|")).collect::<Vec<_>>(), ["1|0|2|wrong on some list"]);
    let percents = list[1..].iter().map(|row| row[2].parse::<f32>().unwrap()).collect::<Vec<_>>();
    assert_eq!(list[1..].iter().map(|row| row[..2].join("|")).collect::<Vec<_>>(), ["0|2", "1|0", "2|SEP", "3|0"]);
    assert!(percents.iter().zip([0.6, 25.0, 50.0, 24.4]).all(|(a, b)| (a - b).abs() < 1e-4), "{percents:?}");
    assert!(picture.contains("For 2 0 the model says 1 (margin −0.123 logits)"), "{picture}");
}

#[test]
fn a_proof_that_is_not_there_is_named() {
    let (mut study, arrays) = STUDIED.clone();
    let figure = Figure { id: "map".into(), title: String::new(), how: String::new(), plot: Plot::ClassMap };
    study.sections[0].items.push(Item::Figure(figure));
    let said = figures(&report(&(study, arrays))).unwrap_err().to_string();
    assert_eq!(said, "the report: expected a proof, which its figures show, found none");
}

#[test]
fn arrays_of_any_shape_are_drawn_or_refused() {
    let whole = with_all_kinds(&STUDIED);
    let figures: Vec<Figure> = whole.0.figures().cloned().collect();
    let (mut drawn, mut refused) = (0, 0);
    for figure in &figures {
        for name in figure.plot.arrays() {
            let shape = whole.1[name].shape().to_vec();
            let grown: Vec<usize> = shape.iter().map(|len| len + 1).collect();
            let shrunk: Vec<usize> = shape.iter().map(|len| len / 2).collect();
            let others = [vec![], vec![0], vec![1], vec![0; shape.len()], vec![1; shape.len()], grown, shrunk];
            let others = others.map(|shape| (shape, vec![1.5]));
            let numbers = vec![0.0, f32::NAN, f32::INFINITY, f32::MAX, -f32::MAX, f32::MIN_POSITIVE];
            for (shape, numbers) in others.into_iter().chain([(shape, numbers)]) {
                for number in numbers {
                    let mut studied = whole.clone();
                    studied.1.insert(name.to_owned(), ArrayD::from_elem(shape.clone(), number));
                    match chart(figure, &report(&studied)) {
                        Ok(chart) => drawn += usize::from(svg(&chart).unwrap().ends_with("</svg>\n")),
                        Err(error) => refused += usize::from(error.to_string().starts_with("the array ")),
                    }
                }
            }
        }
    }
    let tried: usize = figures.iter().map(|figure| 13 * figure.plot.arrays().len()).sum();
    assert_eq!(drawn + refused, tried, "{drawn} {refused}");
    assert!(drawn > tried / 4 && refused > tried / 4, "{drawn} {refused}");
}
