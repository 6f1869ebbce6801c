//! `docs/claims.md` has a row for every claim, with the numbers that studies give.

use crate::pinned::read_pinned;
use algolens::interpret::{Verdict, tasks::sorted_list::claims};
use serde_json::Value;

/// The cells of the rows whose first cell is a claim's id in backquotes.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

#[test]
fn the_table_of_claims_has_every_claim_and_the_numbers_that_are_pinned() {
    let text = include_str!("../../../../docs/claims.md");
    let rows = rows(text);
    let [post, own] = [read_pinned("post_claims.json"), read_pinned("sorted_list.json")["claims"].clone()];
    let ids: Vec<String> = claims().map(|claim| format!("`{}`", claim.id)).collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), ids);
    for (claim, row) in claims().zip(&rows) {
        let shown = |pinned: &Value| {
            let pinned = &pinned[claim.id];
            let verdict: Verdict = serde_json::from_value(pinned["verdict"].clone()).unwrap();
            match pinned["value"].as_f64() {
                None => verdict.words().to_owned(),
                Some(value) => format!("{}: {}", claim.unit.number(value), verdict.words()),
            }
        };
        assert_eq!(row[row.len() - 2..], [shown(&post), shown(&own)], "{}", claim.id);
        let thresholds = post[claim.id]["thresholds"].as_str().unwrap();
        assert!(row[3].starts_with(thresholds), "{}: {thresholds}", claim.id);
        let controls: Vec<&str> = claim.controls.iter().map(|control| control.name()).collect();
        assert_eq!(row[4], if controls.is_empty() { "none".into() } else { controls.join(", ") }, "{}", claim.id);
    }
}
