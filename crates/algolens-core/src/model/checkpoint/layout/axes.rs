//! The axes of a tensor, as einops writes them: `d_model (head d_head)`.

use crate::{Error, Result};
use std::collections::BTreeMap;

/// The sizes of axes by their names, as far as they are known.
pub(super) type Sizes = BTreeMap<String, usize>;

/// The axes of a tensor: for each dimension the axes that it runs over, the last fastest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Axes(pub Vec<Vec<String>>);

impl Axes {
    /// The axes of a text.
    ///
    /// # Errors
    /// Parentheses that do not close, or are nested; an axis that comes twice.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |expected: &str| Error::invalid("axes", expected, text);
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let (mut dimensions, mut group): (Vec<Vec<String>>, Option<Vec<String>>) = (Vec::new(), None);
        for word in spaced.split_whitespace() {
            match (word, &mut group) {
                ("(", None) => group = Some(Vec::new()),
                (")", Some(_)) => dimensions.extend(group.take()),
                ("(" | ")", _) => return Err(wrong("parentheses that close, and none within others")),
                (axis, Some(group)) => group.push(axis.to_owned()),
                (axis, None) => dimensions.push(vec![axis.to_owned()]),
            }
        }
        if group.is_some() {
            return Err(wrong("parentheses that close"));
        }
        let mut all: Vec<&String> = dimensions.iter().flatten().collect();
        all.sort();
        if all.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(wrong("every axis once"));
        }
        Ok(Self(dimensions))
    }

    /// Every axis, in order.
    pub fn flat(&self) -> impl Iterator<Item = &String> {
        self.0.iter().flatten()
    }

    /// Learns what a tensor's shape says of the sizes of axes; whether it was something new.
    ///
    /// # Errors
    /// A shape that is not of these axes and sizes.
    pub fn learn(&self, name: &str, shape: &[usize], sizes: &mut Sizes) -> Result<bool> {
        let mismatch = |sizes: &Sizes| {
            let known = self.flat().filter_map(|axis| sizes.get(axis).map(|size| format!("{axis} {size}")));
            let known: Vec<String> = known.collect();
            Error::invalid(name, format!("axes {self} with {}", known.join(", ")), format!("shape {shape:?}"))
        };
        if shape.len() != self.0.len() {
            return Err(Error::invalid(name, format!("axes {self}"), format!("shape {shape:?}")));
        }
        let mut learnt = false;
        for (axes, size) in self.0.iter().zip(shape) {
            // What is said of a size may be any number.
            let known =
                axes.iter().filter_map(|axis| sizes.get(axis)).fold(1_usize, |all, size| all.saturating_mul(*size));
            let unknown: Vec<&String> = axes.iter().filter(|axis| !sizes.contains_key(*axis)).collect();
            match unknown.as_slice() {
                [] if known == *size => {}
                [axis] if known > 0 && size % known == 0 => {
                    sizes.insert((*axis).clone(), size / known);
                    learnt = true;
                }
                [_, _, ..] => {}
                _ => return Err(mismatch(sizes)),
            }
        }
        Ok(learnt)
    }

    /// The sizes of the axes that each dimension runs over; none while one is unknown.
    pub fn factors(&self, sizes: &Sizes) -> Option<Vec<Vec<usize>>> {
        self.0.iter().map(|axes| axes.iter().map(|axis| sizes.get(axis).copied()).collect()).collect()
    }
}

impl std::fmt::Display for Axes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        let dimensions = self.0.iter().map(|axes| match axes.as_slice() {
            [axis] => axis.clone(),
            axes => format!("({})", axes.join(" ")),
        });
        formatter.write_str(&dimensions.collect::<Vec<_>>().join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_say_what_sizes_are_not_known_yet() {
        let mut sizes = Sizes::from([("qkv".into(), 3), ("head".into(), 4)]);
        let axes = Axes::parse("(qkv head d_head) d_model").unwrap();
        assert_eq!(axes.to_string(), "(qkv head d_head) d_model");
        assert!(axes.learn("w", &[96, 32], &mut sizes).unwrap());
        assert_eq!((sizes["d_head"], sizes["d_model"]), (8, 32));
        assert!(!axes.learn("w", &[96, 32], &mut sizes).unwrap());
        assert_eq!(axes.factors(&sizes), Some(vec![vec![3, 4, 8], vec![32]]));
        assert!(axes.learn("w", &[95, 32], &mut sizes).is_err());
        assert!(axes.learn("w", &[96], &mut sizes).is_err());
        sizes.insert("head".into(), usize::MAX);
        assert!(axes.learn("w", &[96, 32], &mut sizes).is_err());
    }

    #[test]
    fn texts_that_are_no_axes_are_refused() {
        for text in ["(a", "a)", "((a) b)", "a a", "a (b a)"] {
            assert!(Axes::parse(text).is_err(), "{text}");
        }
    }
}
