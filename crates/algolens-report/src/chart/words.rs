//! Numbers and names in words, and rows of a table.

use ndarray::ArrayView2;
use std::fmt::{Display, LowerExp};

/// A number as a table holds it: it reads back as the same number; blank where there is none.
pub(super) fn exact<F: Copy + Into<f64> + Display + LowerExp>(number: F) -> String {
    if number.into().is_nan() {
        return String::new();
    }
    let text = number.to_string();
    if text.len() > 18 { format!("{number:e}") } else { text }
}

/// A number with three significant digits and a true minus sign.
pub(crate) fn brief(number: f64) -> String {
    let size = number.abs();
    let text = match size {
        _ if !size.is_finite() => return "–".into(),
        0.0 => return "0".into(),
        1e-4..1e5 => format!("{size:.2e}").parse().map_or(String::new(), |rounded: f64| rounded.to_string()),
        _ => format!("{size:.1e}").replace('-', "−"),
    };
    if number < 0.0 { format!("−{text}") } else { text }
}

/// The label of an index; the index where it has none.
pub(super) fn label(labels: &[String], index: usize) -> String {
    labels.get(index).map_or_else(|| index.to_string(), Clone::clone)
}

/// A matrix below its columns' names and beside its rows'.
pub(crate) fn matrix(corner: &str, rows: &[String], columns: &[String], cells: ArrayView2<f32>) -> Vec<Vec<String>> {
    let head = [corner.to_owned()].into_iter().chain((0..cells.ncols()).map(|column| label(columns, column))).collect();
    let row = |(at, row): (usize, ndarray::ArrayView1<f32>)| {
        [label(rows, at)].into_iter().chain(row.iter().map(|number| exact(*number))).collect()
    };
    [head].into_iter().chain(cells.outer_iter().enumerate().map(row)).collect()
}

/// A row of a table.
pub(super) fn row(first: &[&str], rest: impl IntoIterator<Item = String>) -> Vec<String> {
    first.iter().map(|cell| (*cell).to_owned()).chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_brief() {
        let cases = [
            (0.0, "0"),
            (0.123456, "0.123"),
            (-12.345, "−12.3"),
            (99_999.0, "100000"),
            (123_456.0, "1.2e5"),
            (-0.000_012_3, "−1.2e−5"),
            (f64::NAN, "–"),
        ];
        for (number, text) in cases {
            assert_eq!(brief(number), text);
        }
    }

    #[test]
    fn what_a_table_holds_reads_back() {
        for number in [0.1_f32, -1.5e-30, 3.4e38, 1.0, 123_456.79, f32::MIN_POSITIVE] {
            let text = exact(number);
            assert!(text.parse() == Ok(number) && text.len() < 19, "{text}");
        }
        assert_eq!((exact(f32::NAN), exact(120.0_f64)), (String::new(), "120".into()));
    }
}
