//! The numbers that a page's figures hold, beside those that `algolens study` wrote.

use super::page::Report;
use ndarray::{ArrayD, ArrayViewD, Axis};
use ndarray_npy::ReadNpyExt;
use serde_json::Value;
use std::{collections::BTreeMap, fs::File, path::Path};
use zip::ZipArchive;

/// What `algolens study` wrote.
pub struct Study {
    pub results: Value,
    arrays: BTreeMap<String, ArrayD<f32>>,
}

/// The figures of circuits, and the array of each; those of a head have its number behind their names.
const CIRCUITS: [(&str, &str); 5] = [
    ("ov", "W_OV_full"),
    ("qk", "W_QK_full"),
    ("qk-effective", "QK_effective"),
    ("pos-query", "W_QK_pos_query"),
    ("pos-key", "W_QK_pos_key"),
];

impl Study {
    /// Reads the folder of a study.
    pub fn read(folder: &Path) -> Self {
        let results = serde_json::from_slice(&std::fs::read(folder.join("results.json")).unwrap()).unwrap();
        let mut npz = ZipArchive::new(File::open(folder.join("arrays.npz")).unwrap()).unwrap();
        let arrays = (0..npz.len()).map(|at| {
            let entry = npz.by_index(at).unwrap();
            let name = entry.name().unwrap().trim_end_matches(".npy").to_owned();
            (name, ArrayD::read_npy(entry).unwrap())
        });
        Self { results, arrays: arrays.collect() }
    }

    /// Where the figures of the vocabulary on an open page, all of which are drawn, differ from the study; the page shows this
    /// list.
    pub fn vocabulary(&self, report: &Report, list: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare = |figure: &str, expected| found.extend(difference(report, figure, Z, &expected));
        for (figure, array) in CIRCUITS {
            for (head, values) in self.arrays[array].outer_iter().enumerate() {
                compare(&format!("{figure}-{head}"), nested(values));
            }
        }
        compare("direct", nested(self.arrays["direct_path"].view()));
        compare("probs", nested(self.arrays["probs"].index_axis(Axis(0), list)));
        let tokens = self.results["shown"]["tokens"].as_array().unwrap();
        let (at, token) = (tokens.len() / 2, &tokens[tokens.len() / 2]);
        report.evaluate(&format!("window.algolens.setState({{heads: [0, 1], token: {token}}})"));
        report.settle();
        let rows = nested(self.arrays["W_QK_full"].index_axis(Axis(1), at));
        found.extend(difference(report, "qk-bar", "plot.data.map(trace => Array.from(trace.y))", &rows));
        found
    }

    /// Where the figures of an open page, all of which are drawn, differ from the study; the page shows this list.
    pub fn differences(&self, report: &Report, list: usize) -> Vec<String> {
        let mut found = self.vocabulary(report, list);
        found.extend(self.of_any_task(report, list));
        let mut compare =
            |figure: &str, data: &str, expected| found.extend(difference(report, figure, data, &expected));
        let column =
            |key: &str| Value::from_iter(self.results["gaps"].as_array().unwrap().iter().map(|p| p[key].clone()));
        let gaps = ["accuracy", "self_attention", "prob_x", "prob_y"].map(column);
        compare("gaps", "plot.data.slice(0, 4).map(trace => Array.from(trace.y))", Value::from_iter(gaps));
        let triples = self.results["triples"].as_array().unwrap().iter().map(|triple| triple["dla"].clone());
        let heatmaps = "plot.data.filter(t => t.type === 'heatmap').map(t => t.z.map(row => Array.from(row)))";
        compare("triples-post", heatmaps, Value::from_iter(triples));
        found.extend(self.terms(report, list));
        found
    }

    /// Where figures that every task has differ on an open page, all of which are drawn; the page shows this list.
    pub fn of_any_task(&self, report: &Report, list: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut compare =
            |figure: &str, data: &str, expected| found.extend(difference(report, figure, data, &expected));
        let main = report.evaluate("window.algolens.state.main").as_u64().unwrap() as usize;
        // Of one head alone the plot holds the pattern as it is.
        report.evaluate(&format!("window.algolens.setState({{heads: [{main}]}})"));
        report.settle();
        let pattern = self.arrays["pattern"].index_axis(Axis(0), list);
        compare("pattern", Z, nested(pattern.index_axis(Axis(0), main)));
        let ablation = ["mean", "zero", "resample"].map(|method| self.ablation(method));
        compare("ablation", "plot.data.slice(0, 3).map(trace => Array.from(trace.y))", Value::from_iter(ablation));
        found
    }

    /// The bars of an ablation: every head, then the other parts.
    fn ablation(&self, method: &str) -> Value {
        let table = &self.results["ablation"];
        let heads = table[method].as_object().unwrap().values().cloned();
        let parts = table["parts"].as_object().unwrap().values().map(|costs| costs[method].clone());
        heads.chain(parts).collect()
    }

    /// The split of the selected score.
    fn terms(&self, report: &Report, list: usize) -> Option<String> {
        report.evaluate("window.algolens.setState({heads: [0], query: 14, key: 3})");
        report.settle();
        let terms = &self.arrays["score_terms"];
        let at = |query: usize, key: usize| f64::from(terms[[list, 0, query, key, 4, 3].as_slice()]);
        let expected: Vec<f64> = (0..6).map(|term| at(term / 2, term % 2)).collect();
        let total: f64 = expected.iter().sum();
        let expected = Value::from_iter(expected.into_iter().chain([total]));
        difference(report, "terms", "Array.from(plot.data[0].y)", &expected)
    }
}

/// The cells of a heatmap.
const Z: &str = "plot.data[0].z.map(row => Array.from(row))";

/// Where what a figure's plot holds differs from what is expected.
fn difference(report: &Report, figure: &str, data: &str, expected: &Value) -> Option<String> {
    let shown = report.evaluate(&format!("(plot => {data})(document.querySelector('#fig-{figure} .plot'))"));
    differ(&shown, expected, "").map(|difference| format!("fig-{figure} {difference}"))
}

/// An array as JSON, NaN as null.
fn nested(array: ArrayViewD<f32>) -> Value {
    match array.ndim() {
        0 => Value::from(f64::from(array[[].as_slice()])),
        _ => array.outer_iter().map(nested).collect(),
    }
}

/// The first place where two values differ, numbers by more than a rounding.
fn differ(shown: &Value, expected: &Value, at: &str) -> Option<String> {
    match (shown, expected) {
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(i, (a, b))| differ(a, b, &format!("{at}[{i}]")))
        }
        (Value::Number(a), Value::Number(b)) => {
            let [a, b] = [a, b].map(|number| number.as_f64().unwrap());
            ((a - b).abs() > 1e-6 * b.abs().max(1e-3)).then(|| format!("{at}: shows {a}, the study has {b}"))
        }
        (Value::Null, Value::Null) => None,
        _ => Some(format!("{at}: shows {}, the study has {}", brief(shown), brief(expected))),
    }
}

fn brief(value: &Value) -> String {
    value.to_string().chars().take(80).collect()
}
