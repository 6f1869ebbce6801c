//! Whether sections are whole: what a study and other pages of sections must have in common.

use super::{arrays::Arrays, figure::Figure, section::Section};
use algolens_core::{Error, Result};
use std::collections::BTreeSet;

/// The ids of sections, and those that their figures have on a page.
pub(super) fn anchors(sections: &[Section]) -> impl Iterator<Item = String> {
    let ids = sections.iter().map(|section| section.id.clone());
    ids.chain(sections.iter().flat_map(Section::figures).map(Figure::anchor))
}

/// The ids of sections and the anchors of their figures, if no two are the same and every array that a figure names is there.
/// `of` is what the sections are of, in an error's words.
///
/// # Errors
/// Names the first that is amiss.
pub fn check_sections(sections: &[Section], arrays: &Arrays, of: &str) -> Result<BTreeSet<String>> {
    let mut ids = BTreeSet::new();
    for id in anchors(sections) {
        if !ids.insert(id.clone()) {
            let what = format!("a section or figure of the {of}");
            return Err(Error::invalid(what, "a name of its own", format!("{id} twice")));
        }
    }
    for figure in sections.iter().flat_map(Section::figures) {
        if let Some(name) = figure.plot.arrays().into_iter().find(|name| !arrays.contains_key(*name)) {
            let what = format!("the array {name} of the figure {}", figure.id);
            return Err(Error::invalid(what, format!("among the {of}'s arrays"), "none"));
        }
    }
    Ok(ids)
}
