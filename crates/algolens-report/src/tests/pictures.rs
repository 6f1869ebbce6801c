//! Pictures are XML, and draw what they are given.

use super::{SMALL, STUDIED, WITHOUT_CASEBOOK, report};
use crate::{
    Report,
    chart::{
        Bars, Chart, Content, Dot, Dots, Extent, Grid, Hue, Layer, Lines, Look, Names, Scale, Strip, StripDot, Strips,
    },
    figures,
    proof::tests::proof,
    svg::svg,
};
use algolens::interpret::Verdict;
use ndarray::arr2;
use std::collections::BTreeSet;

/// An element: its name, its attributes, the text directly in it.
type Element = (String, Vec<(String, String)>, String);

/// The elements of a document, of which every one is closed, in the order of their beginnings.
fn elements(document: &str) -> Vec<Element> {
    let (mut found, mut open) = (Vec::<Element>::new(), Vec::<usize>::new());
    let mut rest = document;
    while let Some(at) = rest.find('<') {
        let text = &rest[..at];
        assert!(!text.contains('>') && entities_are_known(text), "{text}");
        match open.last() {
            Some(inside) => found[*inside].2 += text.trim(),
            None => assert_eq!(text.trim(), ""),
        }
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at + 1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(found[open.pop().expect("it was opened")].0, name);
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let mut parts = attributes.split('"');
        let mut pairs = Vec::new();
        while let (Some(key), Some(value)) = (parts.next(), parts.next()) {
            assert!(entities_are_known(value) && !value.contains('<'), "{value}");
            pairs.push((key.trim().trim_end_matches('=').to_owned(), value.to_owned()));
        }
        found.push((name.to_owned(), pairs, String::new()));
        if !closed {
            open.push(found.len() - 1);
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty(), "{open:?}");
    found
}

fn entities_are_known(text: &str) -> bool {
    let known = ["lt;", "gt;", "amp;", "quot;", "apos;"];
    text.split('&').skip(1).all(|rest| known.iter().any(|entity| rest.starts_with(entity)))
        && !text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\r' | '\t'))
}

fn attribute<'a>(element: &'a Element, key: &str) -> &'a str {
    element.1.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
}

fn number(element: &Element, key: &str) -> f64 {
    attribute(element, key).parse().unwrap()
}

/// The rectangles of a colour, without those of legends and scales.
fn rectangles<'a>(elements: &'a [Element], fill: &str) -> Vec<&'a Element> {
    elements.iter().filter(|element| element.0 == "rect" && attribute(element, "fill") == fill).collect()
}

fn names(title: &str, labels: &[&str]) -> Names {
    Names::new(title, &labels.iter().map(|label| (*label).to_owned()).collect::<Vec<_>>())
}

fn drawn(title: &str, content: Content) -> Vec<Element> {
    elements(&svg(&Chart::of(title, content, Vec::new())).unwrap())
}

#[test]
fn every_figure_is_a_picture_of_a_screens_width() {
    let [of_task, of_data] = &*WITHOUT_CASEBOOK;
    let proof = proof();
    let reports = [&*STUDIED, of_task, of_data, &*SMALL].map(report);
    let proved = Report { proof: Some(&proof), ..report(&SMALL) };
    for report in reports.iter().chain([&proved]) {
        for file in figures(report).unwrap() {
            let elements = elements(&file.svg);
            let (width, height) = (number(&elements[0], "width"), number(&elements[0], "height"));
            assert!(elements[0].0 == "svg" && width == 900.0 && (60.0..1400.0).contains(&height), "{}", file.name);
            assert!(elements.iter().any(|element| element.0 == "text"), "{}", file.name);
            for element in elements.iter().filter(|element| element.0 == "rect") {
                let (x, y) = (number(element, "x"), number(element, "y"));
                let (right, bottom) = (x + number(element, "width"), y + number(element, "height"));
                assert!(x >= 0.0 && y >= 0.0 && right <= width && bottom <= height, "{}: {element:?}", file.name);
            }
        }
    }
}

#[test]
fn cells_have_the_colours_of_their_numbers() {
    let cells = arr2(&[[2.0, -2.0, 0.0], [f32::NAN, 1.0, 1.0]]);
    let layer = Layer { cells, scale: Scale::Signed(2.0) };
    let (rows, columns) = (names("", &["a", "b"]), names("", &["x", "y", "z"]));
    let elements = drawn("cells", Content::Grid(Grid::new(rows, columns, layer, "", Look::Square)));
    let of = |fill: &str| {
        let place = |cell: &&Element| ["x", "y", "width", "height"].map(|key| number(cell, key));
        rectangles(&elements, fill).iter().map(place).collect::<Vec<_>>()
    };
    let ([most], [least], [equal]) = (&of("#A50F15")[..], &of("#08519C")[..], &of("#F27E63")[..]) else {
        panic!("{elements:?}")
    };
    let side = most[2];
    // The largest is at the top left, the smallest right of it, the two equal ones are drawn as one below.
    assert_eq!([most[3], least[2], least[3], equal[2], equal[3]], [side, side, side, 2.0 * side, side]);
    assert_eq!([least[0] - most[0], least[1] - most[1]], [side, 0.0]);
    assert_eq!([equal[0] - most[0], equal[1] - most[1]], [side, side]);
    // Nothing but the grey ground is where there is no number.
    let ground = of("#E4E6EA");
    assert_eq!(ground, [[most[0], most[1], 3.0 * side, 2.0 * side]]);
}

#[test]
fn a_large_grid_is_drawn_in_larger_cells() {
    let mut cells = ndarray::Array2::zeros((1001, 1001));
    cells[(4, 3)] = -3.0;
    let layer = Layer { cells, scale: Scale::Signed(3.0) };
    let labels: Vec<String> = (0..1001).map(|at| at.to_string()).collect();
    let grid = Grid::new(Names::new("", &labels), Names::new("", &labels), layer, "logits", Look::Square);
    let elements = drawn("large", Content::Grid(grid));
    assert!(elements.len() < 1500, "{}", elements.len());
    // One cell, and the end of the scale.
    assert_eq!(rectangles(&elements, "#08519C").len(), 2);
    assert!(elements.iter().any(|element| element.2.contains("the largest of 6 × 6")));
}

#[test]
fn bars_are_as_high_as_their_numbers() {
    let bars = Bars {
        names: names("", &["a", "b"]),
        series: vec![(Hue::Series(0), vec![1.0, -0.5]), (Hue::Series(1), vec![2.0, f64::NAN])],
        unit: "nats".into(),
        chosen: None,
    };
    let elements = drawn("bars", Content::Bars(bars));
    let bars = |fill: &str| {
        let place = |bar: &&Element| (number(bar, "y"), number(bar, "height"));
        rectangles(&elements, fill).iter().map(place).collect::<Vec<_>>()
    };
    let ([one, below], [two]) = (&bars("#3B4658")[..], &bars("#7B4FA3")[..]) else { panic!("{elements:?}") };
    assert!((two.1 - 2.0 * one.1).abs() <= 1.0 && (one.1 - 2.0 * below.1).abs() <= 2.0, "{one:?} {two:?} {below:?}");
    assert_eq!([one.0 + one.1, two.0 + two.1], [below.0; 2]);
}

#[test]
fn lines_break_where_there_is_no_number() {
    let values = vec![0.0, 1.0, f64::NAN, 0.5, 0.25];
    let lines = Lines {
        over: "gap".into(),
        at: (0..5).map(f64::from).collect(),
        series: vec![(Hue::Series(0), values)],
        unit: "share".into(),
        extent: Extent::Share,
        kept: None,
    };
    let elements = drawn("lines", Content::Lines(lines));
    let of_series = |element: &&Element| element.0 == "polyline" && attribute(element, "stroke") == "#3B4658";
    let paths: Vec<Vec<(f64, f64)>> = elements
        .iter()
        .filter(of_series)
        .map(|path| {
            let points = attribute(path, "points").split_whitespace();
            points
                .map(|point| point.split_once(',').map(|(x, y)| (x.parse().unwrap(), y.parse().unwrap())).unwrap())
                .collect()
        })
        .collect();
    assert_eq!(paths.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2]);
    let unit = paths[0][0].1 - paths[0][1].1;
    assert!(unit > 100.0 && (paths[1][1].1 - paths[1][0].1 - unit / 4.0).abs() <= 1.0, "{paths:?}");
}

#[test]
fn dots_have_their_places_and_rings() {
    let at = [(0.0, 0.0), (10.0, 1.0), (5.0, 0.5)];
    let dots = at.into_iter().zip([false, false, true]).map(|(at, ringed)| Dot { at, ringed }).collect();
    let elements = drawn("dots", Content::Dots(Dots { x: "size".into(), y: "loss".into(), dots }));
    let circles: Vec<&Element> = elements.iter().filter(|element| element.0 == "circle").collect();
    let places: Vec<[f64; 3]> = circles.iter().map(|dot| ["cx", "cy", "r"].map(|key| number(dot, key))).collect();
    let [low, high, linked, ring] = &places[..] else { panic!("{places:?}") };
    assert!(low[0] < high[0] && low[1] > high[1] && linked[2] > low[2] && ring[2] > linked[2], "{places:?}");
    assert_eq!(linked[..2], ring[..2]);
    assert!((low[0] + high[0] - 2.0 * linked[0]).abs() <= 2.0, "{places:?}");
    assert_eq!((attribute(circles[3], "fill"), attribute(circles[3], "stroke")), ("none", "#1B1E24"));
}

#[test]
fn dots_of_a_strip_do_not_hide_each_other() {
    for (count, at) in [(30, 1.0), (12, 0.5), (300, 0.5)] {
        let dot = |at| StripDot { at, verdict: Verdict::Holds, ringed: false };
        let mut dots: Vec<StripDot> = (0..count).map(|_| dot(at)).collect();
        dots.push(dot(0.0));
        let strip = Strip { name: "A claim".into(), said: String::new(), ends: None, dots };
        let elements = drawn("strips", Content::Strips(Strips { strips: vec![strip] }));
        let place = |element: &Element| [number(element, "cx") as i64, number(element, "cy") as i64];
        let places: Vec<[i64; 2]> = elements.iter().filter(|element| element.0 == "circle").map(place).collect();
        let different: BTreeSet<[i64; 2]> = places.iter().copied().collect();
        let most =
            places.iter().map(|place| place[1]).max().unwrap() - places.iter().map(|place| place[1]).min().unwrap();
        assert_eq!(places.len(), count + 1);
        assert!(
            different.len() >= places.len().min(150) && most < 40,
            "{count}: {} of {}",
            different.len(),
            places.len()
        );
    }
}

#[test]
fn hostile_names_stay_text() {
    let hostile = "<script>&\"'\u{1}]]>\u{0}";
    let bars = || Bars {
        names: names(hostile, &[hostile]),
        series: vec![(Hue::Series(0), vec![1.0])],
        unit: hostile.into(),
        chosen: Some(0),
    };
    let chart = Chart::of(hostile, Content::Bars(bars()), Vec::new()).with_legend(vec![(Hue::Head(3), hostile.into())]);
    let elements = elements(&svg(&chart).unwrap());
    assert!(elements.iter().all(|element| ["svg", "rect", "text", "polyline", "line"].contains(&&*element.0)));
    let shown =
        elements.iter().filter(|element| element.2.starts_with("&lt;script&gt;&amp;&quot;&apos;\u{fffd}")).count();
    assert_eq!(shown, 5);
}
