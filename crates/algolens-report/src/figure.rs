//! Figure cards: title, place for the script to draw in, and how to read it.

use algolens::interpret::{Figure, Plot};
use maud::{Markup, PreEscaped, html};

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

/// A figure's card with a picture in it, or without one what is to be done to see it.
pub(crate) fn picture(figure: &Figure, svg: Option<&str>) -> Markup {
    let Figure { title, how, .. } = figure;
    html! {
        figure.card id=(figure.anchor()) {
            figcaption { (title) }
            @match svg {
                Some(svg) => { div.picture role="img" aria-label=(title) { (PreEscaped(svg)) } p.how { (how) } }
                None => p.how { "On the whole page, which is saved as a file." }
            }
        }
    }
}

/// Whether the viewer draws figures of this kind with plotly.
pub(crate) fn needs_plotly(plot: &Plot) -> bool {
    !matches!(plot, Plot::Thumbs | Plot::Tokens)
}
