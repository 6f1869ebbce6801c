//! A figure of a user's own arrays has their numbers, and says which labels are amiss.

use crate::{Drawn, Labelled, Sketch};
use ndarray::{Array, Array2, Array3, Array4};
use serde_json::Value;

fn axis(title: &str, labels: &[&str]) -> Labelled {
    Labelled { title: title.into(), labels: words(labels) }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).into()).collect()
}

fn matrices() -> Sketch {
    let cells: Array3<f32> = Array::from_shape_fn((2, 2, 3), |(m, r, c)| (m * 6 + r * 3 + c) as f32 - 5.0);
    let (rows, columns) = (axis("query", &["a", "b"]), axis("key", &["x", "y", "</script>"]));
    let drawn = Drawn::Matrices { cells, names: words(&["0.0", "0.1"]), rows, columns, unit: "logits".into() };
    Sketch { title: "Scores".into(), drawn }
}

fn patterns() -> Sketch {
    let weights: Array4<f32> = Array::from_elem((2, 1, 2, 2), 0.5);
    let tokens = vec![words(&["7", "SEP"]), words(&["3", "SEP"])];
    Sketch { title: "Attention".into(), drawn: Drawn::Patterns { weights, heads: words(&["0.0"]), tokens } }
}

fn bars() -> Sketch {
    let values: Array2<f32> = Array::from_shape_fn((2, 1), |(group, _)| group as f32);
    let (groups, series) = (axis("token", &["a", "b"]), words(&["0.0"]));
    Sketch { title: "Bars".into(), drawn: Drawn::Bars { values, groups, series, unit: String::new() } }
}

/// The data of a page.
fn data(page: &str) -> Value {
    let begin = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let end = begin + page[begin..].find("</script>").unwrap();
    serde_json::from_str(&page[begin..end]).unwrap()
}

#[test]
fn a_page_has_a_figure_for_each_matrix_and_labels_cannot_end_its_data() {
    let page = matrices().page().unwrap();
    assert!(page.contains("id=\"fig-matrix-0\"") && page.contains("id=\"fig-matrix-1\""));
    let data = data(&page);
    assert_eq!(data["labels"]["classes"][2], "</script>");
    assert_eq!(data["arrays"]["cells"]["shape"], serde_json::json!([2, 2, 3]));
}

#[test]
fn patterns_are_drawn_by_a_light_page() {
    let page = patterns().page().unwrap();
    assert!(page.len() < 200_000, "{}", page.len());
    let data = data(&page);
    assert_eq!(data["labels"]["tokens"], serde_json::json!(["3", "7", "SEP"]));
    assert_eq!(data["lists"][1]["tokens"], serde_json::json!([0, 2]));
}

#[test]
fn every_kind_has_a_picture_and_numbers() {
    assert_eq!(bars().csv().unwrap(), "token,0.0\r\na,0\r\nb,1\r\n");
    assert!(matrices().csv().unwrap().starts_with("0.0 query,x,y,</script>\r\na,-5,-4,-3\r\n"));
    for sketch in [matrices(), patterns(), bars()] {
        assert!(sketch.svg().unwrap().contains("<svg") && !sketch.csv().unwrap().is_empty());
    }
}

#[test]
fn labels_are_as_many_as_places() {
    let mut wrong = matrices();
    let Drawn::Matrices { columns, .. } = &mut wrong.drawn else { unreachable!("a sketch of matrices") };
    columns.labels.pop();
    assert_eq!(wrong.page().unwrap_err().to_string(), "column labels: expected 3, as the array has, found 2");
    let mut wrong = patterns();
    let Drawn::Patterns { tokens, .. } = &mut wrong.drawn else { unreachable!("a sketch of patterns") };
    tokens[1].pop();
    assert_eq!(wrong.svg().unwrap_err().to_string(), "tokens: expected 2 an example, as in the first, found 1");
}
