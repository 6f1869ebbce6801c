//! A start for the layout of a file that fits none.

use super::{
    axes::Axes,
    declaration::{Layout, Rule},
    names::{numbers, pattern},
    targets,
};
use crate::model::checkpoint::{container::Tensor, select::Chosen};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};

/// A layout to be finished by hand: the rules that a known one has for a state dict's tensors, and one for all other tensors
/// whose names differ in numbers alone.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The layout that has rules for the most of the tensors; none where none has any.
    pub nearest: Option<String>,
    /// Rules, each with the first of its tensors and how many it has. Without axes and weights where they are to be said.
    pub rules: Vec<(Rule, Example)>,
}

/// A tensor that a rule is for.
#[derive(Clone, Debug)]
pub struct Example {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How many tensors the rule is for.
    pub of: usize,
}

impl Draft {
    /// The start of a layout for these tensors.
    pub fn of(chosen: &Chosen) -> Self {
        let counted = Layout::all().into_iter().map(|layout| {
            let known =
                chosen.tensors.iter().filter(|(name, tensor)| rule_for(&layout, name, tensor).is_some()).count();
            (known, layout)
        });
        let best = counted.reduce(|best, other| if other.0 > best.0 { other } else { best });
        let nearest = best.filter(|(known, _)| *known > 0).map(|(_, layout)| layout);
        let mut rules: BTreeMap<String, (Rule, Example)> = BTreeMap::new();
        for (name, tensor) in &chosen.tensors {
            let known = nearest.as_ref().and_then(|layout| rule_for(layout, name, tensor)).cloned();
            let rule = known.unwrap_or_else(|| Rule {
                from: pattern(name),
                axes: String::new(),
                to: Vec::new(),
                optional: false,
            });
            match rules.entry(rule.from.clone()) {
                Entry::Occupied(mut found) => found.get_mut().1.of += 1,
                Entry::Vacant(place) => {
                    let example = Example { name: name.clone(), shape: tensor.shape().to_vec(), of: 1 };
                    place.insert((rule, example));
                }
            }
        }
        Self { nearest: nearest.map(|layout| layout.name), rules: rules.into_values().collect() }
    }

    /// Every weight that a rule may lead to, with its axes.
    pub fn weights() -> impl Iterator<Item = (&'static str, &'static str)> {
        targets::ALL.iter().map(|target| (target.name, target.axes))
    }
}

/// The rule of a layout for a tensor of this name and as many dimensions.
fn rule_for<'a>(layout: &'a Layout, name: &str, tensor: &Arc<Tensor>) -> Option<&'a Rule> {
    let fits = |rule: &&Rule| {
        let dimensions = Axes::parse(&rule.axes).map(|axes| axes.0.len());
        numbers(&rule.from, name).is_some() && dimensions.is_ok_and(|dimensions| dimensions == tensor.shape().len())
    };
    layout.weight.iter().find(fits)
}
