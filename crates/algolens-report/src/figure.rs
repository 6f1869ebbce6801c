//! Figure cards: title, place for the script to draw in, and how to read it.

use maud::{Markup, html};

/// A figure: what the script draws, and the words around it.
#[derive(Default)]
pub(crate) struct Figure<'a> {
    /// The figure's id, without the `fig-` that it has on the page.
    pub id: &'a str,
    /// The kind of figure, as the script's `KINDS` name it.
    pub kind: &'static str,
    /// The array it is drawn from, for the kinds that need one.
    pub array: Option<&'static str>,
    /// The index of the head it is drawn from, for the kinds that need one.
    pub head: Option<usize>,
    /// The finding, in a sentence.
    pub title: String,
    /// How to read it.
    pub how: &'a str,
}

impl Figure<'_> {
    /// The figure's card.
    pub fn card(&self) -> Markup {
        html! {
            figure.card id={ "fig-" (self.id) } data-figure=(self.kind) data-array=[self.array] data-head=[self.head] {
                figcaption { (self.title) }
                div.plot role="img" aria-label=(self.title) {}
                p.how { (self.how) }
            }
        }
    }
}

/// Cards side by side.
pub(crate) fn pair(figures: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.pair { @for figure in figures { (figure) } } }
}
