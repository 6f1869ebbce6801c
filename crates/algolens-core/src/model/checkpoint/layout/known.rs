//! The layouts that are known.

use super::{declaration::Layout, gpt2, grokking, multihead_attention, puzzles, transformer_lens};
use crate::{Error, Result};

impl Layout {
    /// Every layout that is known.
    pub fn all() -> Vec<Self> {
        let mut all = vec![transformer_lens::layout(), grokking::layout()];
        all.extend(puzzles::layouts());
        all.extend(multihead_attention::layouts());
        all.extend(gpt2::layouts());
        all
    }

    /// The known layout of a name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn named(name: &str) -> Result<Self> {
        let all = Self::all();
        let names: Vec<String> = all.iter().map(|layout| layout.name.clone()).collect();
        all.into_iter().find(|layout| layout.name == name).ok_or_else(|| Error::unknown("layout", name, names))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_layouts_are_well_declared() {
        for layout in Layout::all() {
            layout.check().unwrap_or_else(|error| panic!("{}: {error}", layout.name));
            assert_eq!(Layout::named(&layout.name).unwrap(), layout);
        }
        assert!(Layout::named("nanoGTP").unwrap_err().to_string().contains("nanoGPT"));
    }
}
