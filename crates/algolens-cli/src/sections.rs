//! The sections of a study, for the terminal.

use crate::output;
use algolens::interpret::{
    Arrays, Cell, Control, Figure, Finding, Item, Plot, Section, ShownAt, Study, Table, Verdict,
};
use ndarray::ArrayD;

/// Most names of bars that a terminal shows.
const MOST_BARS: usize = 40;

/// Sections: their captions, tables, the claims of the study that they are of, and the bars and small matrices of their figures.
pub fn text(sections: &[Section], study: Option<&Study>, arrays: &Arrays) -> String {
    sections.iter().map(|section| self::section(section, study, arrays)).collect::<Vec<_>>().join("\n")
}

fn section(section: &Section, study: Option<&Study>, arrays: &Arrays) -> String {
    let Section { title, headline, caption, items, .. } = section;
    let heading = if headline.is_empty() { title.clone() } else { format!("{title}: {headline}") };
    let mut text = format!("{heading}\n{}\n{caption}\n", "─".repeat(heading.chars().count()));
    for part in items.iter().map(|item| self::item(item, study, arrays)).filter(|part| !part.is_empty()) {
        text += &format!("\n{part}");
    }
    text
}

fn item(item: &Item, study: Option<&Study>, arrays: &Arrays) -> String {
    match item {
        Item::Figure(figure) => self::figure(figure, arrays),
        Item::Table(table) => self::table(table),
        Item::Claims(shown) => study.map_or_else(String::new, |study| claims(shown, study)),
        Item::Note(note) => {
            let title = note.title.iter().map(|title| format!("{title}\n"));
            title.chain(note.lines.iter().map(|line| format!("{line}\n"))).collect()
        }
        Item::Row(items) => {
            let parts = items.iter().map(|part| self::item(part, study, arrays)).filter(|part| !part.is_empty());
            parts.collect::<Vec<_>>().join("\n")
        }
    }
}

/// The numbers of a figure that a terminal can show as a table.
fn figure(figure: &Figure, arrays: &Arrays) -> String {
    let numbers = |array: &ArrayD<f32>, row: usize, columns: usize| -> Vec<String> {
        array.iter().skip(row * columns).take(columns).map(|number| format!("{number:.3}")).collect()
    };
    match &figure.plot {
        Plot::Bars { values, names, series, .. } if names.len() <= MOST_BARS => {
            let rows = names.iter().enumerate().map(|(at, name)| {
                [name.clone()].into_iter().chain(numbers(&arrays[values], at, series.len())).collect()
            });
            let header: Vec<&str> =
                [figure.title.as_str()].into_iter().chain(series.iter().map(String::as_str)).collect();
            output::table(&header, rows)
        }
        Plot::Blocks { values, names, rows, columns, .. } => {
            let cells: Vec<String> =
                rows.iter().flat_map(|row| columns.iter().map(move |column| format!("{row}, {column}"))).collect();
            let lines = names.iter().enumerate().map(|(at, name)| {
                [name.clone()].into_iter().chain(numbers(&arrays[values], at, cells.len())).collect()
            });
            let header: Vec<&str> =
                [figure.title.as_str()].into_iter().chain(cells.iter().map(String::as_str)).collect();
            output::table(&header, lines)
        }
        _ => String::new(),
    }
}

fn table(table: &Table) -> String {
    // An example is a button on a page, and nothing here.
    let shown = |at: usize| !table.rows.iter().any(|row| matches!(row.get(at), Some(Cell::Example(_))));
    let header = (0..).zip(&table.columns).filter(|(at, _)| shown(*at)).map(|(_, column)| column.as_str());
    let header: Vec<&str> = header.collect();
    let rows = table
        .rows
        .iter()
        .map(|row| (0..).zip(row).filter(|(at, _)| shown(*at)).map(|(_, cell)| cell.words()).collect::<Vec<_>>());
    format!("{}\n{}", table.caption, output::table(&header, rows))
}

fn claims(shown: &[ShownAt], study: &Study) -> String {
    let findings = shown.iter().filter_map(|shown| study.findings.iter().find(|finding| finding.id == shown.claim));
    let mut controls = [Control::RandomWeights, Control::Relabelled, Control::ExchangedHeads].to_vec();
    let is_of = |control, finding: &Finding| finding.controls.iter().any(|found| found.control == control);
    controls.retain(|control| findings.clone().any(|finding| is_of(*control, finding)));
    let row = |finding: &Finding| {
        let mark = match finding.verdict {
            Verdict::Holds => "✓",
            Verdict::HoldsAsControl => "≈",
            Verdict::Partly => "~",
            Verdict::Fails => "✗",
            Verdict::NotAsked => "–",
        };
        let number = |value: f64| finding.unit.number(value);
        let interval = finding.interval.map(|[low, high]| format!("{} to {}", number(low), number(high)));
        let of = |control: &Control| {
            let found = finding.controls.iter().find(|found| found.control == *control);
            found.and_then(|found| found.mean).map_or("–".into(), number)
        };
        let first =
            [finding.id.replace('_', " "), finding.value.map_or("–".into(), number), interval.unwrap_or_default()];
        let verdict = format!("{mark} {}", finding.verdict.words());
        first.into_iter().chain(controls.iter().map(of)).chain([verdict]).collect()
    };
    let names = controls.iter().map(|control| control.name());
    let header: Vec<&str> = ["claim", "here", "95 %"].into_iter().chain(names).chain(["verdict"]).collect();
    output::table(&header, findings.clone().map(row))
}
