//! Titles of figures: each a sentence with its number.

use crate::{Report, ReportError, captions::percent};
use algolens::interpret::{Head, StudyResults};
use ndarray::{ArrayView1, ArrayViewD, Axis};

/// One head's matrix of an array `[head, row, column]`.
fn head_matrix<'a>(report: &Report<'a>, array: &'static str, head: usize) -> Result<ArrayViewD<'a, f32>, ReportError> {
    Ok(report.array(array)?.index_axis(Axis(0), head))
}

/// The index of the largest number of a row, NaN left out.
fn largest(row: ArrayView1<f32>) -> usize {
    let numbers = row.iter().enumerate().filter(|(_, number)| !number.is_nan());
    numbers.max_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(at, _)| at)
}

/// The first `values` rows of a matrix, with their indices.
fn rows<'a>(matrix: &'a ArrayViewD<f32>, values: usize) -> impl Iterator<Item = (usize, ArrayView1<'a, f32>)> {
    let rows = matrix.outer_iter().take(values);
    rows.enumerate().filter_map(|(at, row)| Some((at, row.into_dimensionality().ok()?)))
}

/// The number of values: every token but the separator.
fn values(results: &StudyResults) -> usize {
    results.config.d_vocab.saturating_sub(1)
}

/// The title of a head's OV circuit: how many of its values a copying head copies.
pub(crate) fn ov(report: &Report, head: Head) -> Result<String, ReportError> {
    let ov = head_matrix(report, "W_OV_full", head.head)?;
    let serves = |value: usize| {
        let range =
            report.results.copy_heads.ranges.iter().find(|range| (range.from..=range.to).contains(&(value as u32)));
        range.is_some_and(|range| range.head == head)
    };
    let served: Vec<_> = rows(&ov, values(report.results)).filter(|(value, _)| serves(*value)).collect();
    let copied = served.iter().filter(|(value, row)| largest(*row) == *value).count();
    Ok(format!("OV: head {head} copies {copied} of the {} values it serves", served.len()))
}

/// The title of a head's QK map: how many values score a larger one highest.
pub(crate) fn qk(report: &Report, array: &'static str, what: &str, head: Head) -> Result<String, ReportError> {
    let (map, values) = (head_matrix(report, array, head.head)?, values(report.results));
    let larger = |(value, row): &(usize, ArrayView1<f32>)| largest(row.slice(ndarray::s![..values])) > *value;
    let count = rows(&map, values.saturating_sub(1)).filter(larger).count();
    Ok(format!("{what}: in head {head} {count} of {} values prefer a larger one", values.saturating_sub(1)))
}

/// The title of the direct path: for how many values d it is larger at d + 1 than at d + 2.
pub(crate) fn direct(report: &Report) -> Result<String, ReportError> {
    let direct = report.array("direct_path")?.view();
    let values = values(report.results);
    let rows: Vec<_> = rows(&direct, values.saturating_sub(2)).collect();
    let next = rows.iter().filter(|(value, row)| row[value + 1] > row[value + 2]).count();
    Ok(format!("The direct path boosts d+1 more than d+2 for {next} of {} values d", rows.len()))
}

/// The title of the ablations: the head that costs most.
pub(crate) fn ablation(results: &StudyResults) -> Option<String> {
    let (head, cost) = results.ablation.mean.iter().max_by(|a, b| a.1.total_cmp(b.1))?;
    Some(format!("Without head {head} the loss rises by {cost:.2} nats"))
}

/// The title of the gaps: the first gap over which accuracy is below one half.
pub(crate) fn gaps(results: &StudyResults) -> String {
    match results.gaps.iter().find(|point| point.accuracy < 0.5) {
        Some(point) => {
            format!("A gap of {} is too wide: {} of the answers over it are right", point.gap, percent(point.accuracy))
        }
        None => "Most answers are right over every gap".into(),
    }
}

/// The title of the smallest values: the first at which accuracy is below one half.
pub(crate) fn smallest(results: &StudyResults) -> String {
    match results.smallest.iter().find(|point| point.accuracy < 0.5) {
        Some(point) => format!(
            "Lists without values below {} are too high: SEP finds {} of their smallest values",
            point.smallest,
            percent(point.accuracy)
        ),
        None => "SEP finds most smallest values, however large".into(),
    }
}
