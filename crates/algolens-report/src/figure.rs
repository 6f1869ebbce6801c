//! A card for a figure: what stands around the place where the script draws.

use maud::{Markup, html};

/// A figure and what is said about it.
#[derive(Default)]
pub(crate) struct Figure<'a> {
    /// `fig-` and this is its id.
    pub id: &'a str,
    /// What the script draws there.
    pub kind: &'static str,
    /// The array and the head it is drawn from, for the kinds that need them.
    pub array: Option<&'static str>,
    pub head: Option<usize>,
    /// What to see, in a sentence.
    pub title: String,
    /// How to read it.
    pub how: &'a str,
}

impl Figure<'_> {
    /// The card.
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

/// Cards that are compared, side by side.
pub(crate) fn pair(figures: impl IntoIterator<Item = Markup>) -> Markup {
    html! { div.pair { @for figure in figures { (figure) } } }
}
