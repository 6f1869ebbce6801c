//! Figure cards: title, place for the script to draw in, and how to read it.

use algolens::interpret::Figure;
use maud::{Markup, html};

/// A figure's card.
pub(crate) fn card(figure: &Figure) -> Markup {
    let Figure { title, how, plot, .. } = figure;
    html! {
        figure.card id=(figure.anchor()) data-figure=(plot.kind()) {
            figcaption { (title) }
            div.plot role="img" aria-label=(title) {}
            p.how { (how) }
        }
    }
}
