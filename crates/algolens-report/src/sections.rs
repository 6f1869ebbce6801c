//! Sections: headings, and what stands below them.

use crate::tables;
use algolens::interpret::{Figure, Item, Note, Section, Study};
use maud::{Markup, html};

/// A section, its figures as cards; without a study where it is of no single model.
pub(crate) fn section(section: &Section, study: Option<&Study>, card: &dyn Fn(&Figure) -> Markup) -> Markup {
    html! {
        section id=(section.id) {
            h2 { (section.title) }
            p.caption { (section.caption) }
            @for item in &section.items { (self::item(item, study, card)) }
        }
    }
}

fn item(item: &Item, study: Option<&Study>, card: &dyn Fn(&Figure) -> Markup) -> Markup {
    match item {
        Item::Figure(figure) => card(figure),
        Item::Table(table) => tables::table(table),
        Item::Claims(shown) => html! { @if let Some(study) = study { (tables::claims(shown, study)) } },
        Item::Note(note) => self::note(note),
        Item::Row(items) => html! { div.pair { @for part in items { (self::item(part, study, card)) } } },
    }
}

fn note(Note { title, lines }: &Note) -> Markup {
    html! {
        @if let Some(title) = title { h3 { (title) } }
        @if let [line] = &lines[..] { p.note { (words(line)) } } @else {
            ul.note { @for line in lines { li { (words(line)) } } }
        }
    }
}

/// Words in which what stands between backticks is code.
fn words(line: &str) -> Markup {
    html! { @for (at, part) in line.split('`').enumerate() { @if at % 2 == 1 { code { (part) } } @else { (part) } } }
}
