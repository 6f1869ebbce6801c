//! The tables of the page.

use algolens::interpret::{Cell, ControlFinding, Finding, ShownAt, Study, Table, Unit, Verdict};
use maud::{Markup, html};

/// A table.
pub(crate) fn table(table: &Table) -> Markup {
    let class = if table.columns.is_empty() { "numbers facts" } else { "numbers" };
    let of_examples = table.rows.iter().flatten().any(|cell| matches!(cell, Cell::Example(_)));
    let class = if of_examples { "numbers examples" } else { class };
    html! {
        div.wide { table id={ "table-" (table.id) } class=(class) {
            caption { (table.caption) }
            @if !table.columns.is_empty() { thead { tr { @for column in &table.columns { th { (column) } } } } }
            @for row in &table.rows {
                tr { @for (at, cell) in row.iter().enumerate() {
                    @if at == 0 { th scope="row" { (words(cell)) } } @else { td { (words(cell)) } }
                } }
            }
        } }
    }
}

fn words(cell: &Cell) -> Markup {
    match cell {
        Cell::Empty | Cell::Text(_) | Cell::Number(..) => html! { (cell.words()) },
        Cell::Noted(value, unit, note) => html! { (unit.number(*value)) " " small { (note) } },
        Cell::Wrong { said, right } => html! { span.wrong { "✗ " (said) } " for " (right) },
        Cell::Link { words, href } => html! { a href=(href) { (words) } },
        Cell::Example(at) => {
            html! { button type="button" data-list=(at) aria-label={ "Look at list " (at + 1) } { "Look" } }
        }
    }
}

/// A verdict's mark and CSS class.
fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Holds => ("✓", "holds"),
        Verdict::HoldsAsControl => ("≈", "partly"),
        Verdict::Partly => ("~", "partly"),
        Verdict::Fails => ("✗", "fails"),
        Verdict::NotAsked => ("–", "not-asked"),
    }
}

fn number(value: Option<f64>, unit: Unit) -> String {
    value.map_or_else(|| "—".into(), |value| unit.number(value))
}

/// From one number to another, in words.
fn from_to([low, high]: [f64; 2], unit: Unit) -> String {
    format!("{} to {}", unit.number(low), unit.number(high))
}

/// The table of findings, one row a claim.
pub(crate) fn claims(shown: &[ShownAt], study: &Study) -> Markup {
    let (findings, other_models) = (&study.findings, study.other_models);
    html! {
        div.wide { table.numbers.findings {
            thead { tr {
                th scope="col" { "claim" } th scope="col" { "this model" } th scope="col" { "controls" }
                @if other_models > 0 { th scope="col" { "spread over " (other_models + 1) " seeds" } }
                th scope="col" { "verdict" }
            } }
            @for ShownAt { claim, at } in shown {
                @if let Some(finding) = findings.iter().find(|finding| finding.id == *claim) {
                    (row(finding, at, other_models > 0))
                }
            }
        } }
    }
}

fn row(finding: &Finding, at: &str, has_others: bool) -> Markup {
    let (mark, class) = verdict(finding.verdict);
    html! {
        tr id={ "finding-" (finding.id) } {
            th scope="row" {
                (finding.claim)
                small.measure { (capitalised(&finding.measure)) ". " (capitalised(&finding.thresholds)) "." }
            }
            td {
                strong { (number(finding.value, finding.unit)) }
                @if let Some(interval) = finding.interval { small { "95 %: " (from_to(interval, finding.unit)) } }
                @if !finding.detail.is_empty() { small { (finding.detail) } }
            }
            td { @for found in &finding.controls { (control(found, finding.unit)) } }
            @if has_others {
                td { @match finding.spread { None => "—", Some(spread) => (from_to(spread, finding.unit)) } }
            }
            td.verdict.(class) {
                span.mark aria-hidden="true" { (mark) } " " (finding.verdict.words()) " " a href={ "#" (at) } { "see" }
            }
        }
    }
}

/// A control's number, how far its models lie apart, and its own verdict.
fn control(found: &ControlFinding, unit: Unit) -> Markup {
    html! {
        (found.control.name()) ": " (number(found.mean, unit))
        small { @if let Some(spread) = found.spread { "± " (unit.number(spread)) "; " } (found.verdict.words()) }
    }
}

/// A text with its first letter in upper case.
fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().collect::<String>() + letters.as_str())
}
