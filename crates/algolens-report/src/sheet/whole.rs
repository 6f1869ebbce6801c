//! Whether a sheet is whole.

use crate::chart::{chart_of_arrays, of_a_study};
use algolens::{
    Error,
    interpret::{Arrays, Cell, Figure, Plot, Section, Verdict, check_sections},
};
use std::collections::BTreeSet;

/// The ids that every page has for parts of its own.
const OF_THE_PAGE: [&str; 6] = ["bar", "strip", "rail", "menu", "theme", "data"];

/// Whether every array that a figure names is there and fits it, ids are unique, nothing is of a study, and every link stays in
/// the page's folder.
///
/// # Errors
/// Names the first that is amiss.
pub(super) fn check(sections: &[Section], arrays: &Arrays) -> Result<(), Error> {
    sections.iter().try_for_each(of_no_study)?;
    names(sections, arrays)?;
    for section in sections {
        links(section)?;
        for figure in section.figures() {
            fits(figure, arrays)?;
        }
    }
    Ok(())
}

/// Whether ids are unique on the page, and arrays are there.
fn names(sections: &[Section], arrays: &Arrays) -> Result<(), Error> {
    let ids = check_sections(sections, arrays, "sheet")?;
    if let Some(taken) = OF_THE_PAGE.into_iter().find(|id| ids.contains(*id)) {
        let expected = "another name than parts of every page have";
        return Err(Error::invalid("a section of the sheet", expected, taken));
    }
    let mut tables = BTreeSet::new();
    match sections.iter().flat_map(Section::tables).find(|table| !tables.insert(&table.id)) {
        Some(twice) => Err(Error::invalid("a table of the sheet", "a name of its own", format!("{} twice", twice.id))),
        None => Ok(()),
    }
}

/// Whether a section has no figures that ask for a study, no claims and no examples.
fn of_no_study(section: &Section) -> Result<(), Error> {
    if let Some(figure) = section.figures().find(|figure| !figure.plot.is_of_arrays()) {
        return Err(of_a_study(figure));
    }
    if let Some(shown) = section.claims().next() {
        let found = format!("the claim {}", shown.claim);
        return Err(Error::invalid(format!("the section {}", section.id), "no claims, which are of a study", found));
    }
    let cells = section.tables().flat_map(|table| table.rows.iter().flatten().map(move |cell| (table, cell)));
    match cells.into_iter().find(|(_, cell)| matches!(cell, Cell::Example(_))) {
        Some((table, cell)) => {
            let expected = "no examples, which are of a study";
            Err(Error::invalid(format!("the table {}", table.id), expected, cell.words()))
        }
        None => Ok(()),
    }
}

/// Whether the links of a section's tables and figures stay in the page's folder.
fn links(section: &Section) -> Result<(), Error> {
    let of_tables = section.tables().flat_map(|table| {
        let hrefs = table.rows.iter().flatten().filter_map(|cell| match cell {
            Cell::Link { href, .. } => Some(href.as_str()),
            _ => None,
        });
        hrefs.map(move |href| ("table", &table.id, href))
    });
    let of_figures =
        section.figures().flat_map(|figure| figure.plot.links().map(move |href| ("figure", &figure.id, href)));
    match of_tables.chain(of_figures).find(|(_, _, href)| !stays(href)) {
        Some((kind, id, href)) => {
            Err(Error::invalid(format!("a link of the {kind} {id}"), "a path in the page's folder", href))
        }
        None => Ok(()),
    }
}

/// Whether a link is a path that stays in the page's folder, as browsers read it: a backslash is a slash to them, and "%2e" a dot.
fn stays(href: &str) -> bool {
    let path = href.split(['?', '#']).next().unwrap_or_default();
    let first = path.split('/').next().unwrap_or_default();
    let rises = |part: &str| part.to_ascii_lowercase().replace("%2e", ".") == "..";
    !href.trim().is_empty()
        && !href.starts_with([' ', '/'])
        && !href.contains(|letter: char| letter == '\\' || letter.is_control())
        && !first.contains(':')
        && !path.split('/').any(rises)
}

/// Whether a figure is of arrays alone, and these have its shapes.
fn fits(figure: &Figure, arrays: &Arrays) -> Result<(), Error> {
    let shape = |name: &str, expected: &[usize]| has_shape(figure, arrays, name, expected);
    let count = |what, found, expected| is_count(figure, what, found, expected);
    match &figure.plot {
        Plot::Bars { values, names, series, .. } => shape(values, &[names.len(), series.len()])?,
        Plot::Lines { values, series, .. } => {
            let points = arrays.get(values).and_then(|points| points.shape().first()).copied().unwrap_or(0);
            shape(values, &[points, 1 + series.len()])?;
        }
        Plot::Blocks { values, names, rows, columns, .. } => {
            shape(values, &[names.len(), rows.len(), columns.len()])?;
        }
        Plot::Runs { values, columns, names, links, .. } => {
            shape(values, &[names.len(), columns.len()])?;
            count("links", links.len(), names.len())?;
        }
        Plot::Strips { values, verdicts, names, units, runs, links } => {
            shape(values, &[runs.len(), names.len()])?;
            shape(verdicts, &[runs.len(), names.len()])?;
            count("units", units.len(), names.len())?;
            count("links", links.len(), runs.len())?;
            are_verdicts(figure, arrays, verdicts)?;
        }
        _ => {}
    }
    chart_of_arrays(figure, arrays).map(drop).map_err(Error::from)
}

fn has_shape(figure: &Figure, arrays: &Arrays, name: &str, expected: &[usize]) -> Result<(), Error> {
    match arrays.get(name).map(|array| array.shape()) {
        Some(found) if found != expected => {
            let what = format!("the array {name} of the figure {}", figure.id);
            Err(Error::invalid(what, format!("the shape {expected:?}"), format!("{found:?}")))
        }
        _ => Ok(()),
    }
}

fn is_count(figure: &Figure, what: &str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected {
        Ok(())
    } else {
        Err(Error::invalid(format!("the {what} of the figure {}", figure.id), expected.to_string(), found))
    }
}

/// Whether every number is the place of a verdict, or NaN, where there is none.
fn are_verdicts(figure: &Figure, arrays: &Arrays, name: &str) -> Result<(), Error> {
    let is_place = |number: &f32| number.is_nan() || (0..Verdict::ALL.len()).any(|place| place as f32 == *number);
    match arrays.get(name).into_iter().flatten().find(|number| !is_place(number)) {
        Some(other) => {
            let what = format!("the array {name} of the figure {}", figure.id);
            let expected = format!("places of verdicts, 0 to {}", Verdict::ALL.len() - 1);
            Err(Error::invalid(what, expected, other))
        }
        None => Ok(()),
    }
}
