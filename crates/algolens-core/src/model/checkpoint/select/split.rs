//! Which tensors of a map are one state dict: its own, or those of a map in it.

use super::maps::Leaf;
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

/// Names that a state dict of a known layout has once, at its top.
const LANDMARKS: [&str; 1] = ["embed.W_E"];

/// What a state dict is put into: an entry of one of these names is one by itself.
const HOLDERS: [&str; 18] = [
    "model",
    "model_state",
    "model_state_dict",
    "state_dict",
    "state",
    "module",
    "net",
    "network",
    "params",
    "parameters",
    "weights",
    "ema",
    "ema_model",
    "model_ema",
    "ema_state_dict",
    "best",
    "best_model",
    "swa_model",
];

/// What programs put before the names of all weights.
const WRAPPERS: [&str; 9] =
    ["module.", "_orig_mod.", "model.", "net.", "network.", "state_dict.", "model_state_dict.", "params.", "weights."];

/// A state dict that may be meant.
#[derive(Debug)]
pub(super) struct Part {
    /// What stood before all names.
    pub prefix: String,
    /// Its tensors, named without that.
    pub leaves: Vec<Leaf>,
    /// Whether it has a name of a known layout.
    pub known: bool,
}

impl Part {
    /// Whether it has what may be a weight matrix.
    pub fn has_matrix(&self) -> bool {
        self.leaves.iter().any(is_matrix)
    }

    /// Whether the tensors, and their names, are those of another.
    pub fn is_same(&self, other: &Self) -> bool {
        let same = |(leaf, other): (&Leaf, &Leaf)| leaf.name == other.name && Arc::ptr_eq(&leaf.tensor, &other.tensor);
        self.leaves.len() == other.leaves.len() && self.leaves.iter().zip(&other.leaves).all(same)
    }
}

fn is_matrix(leaf: &Leaf) -> bool {
    leaf.tensor.dtype().is_float() && leaf.tensor.shape().len() >= 2
}

/// The state dicts among the tensors of a map. What stands at its top goes before copies in what it holds.
pub(super) fn split(leaves: Vec<Leaf>) -> Vec<Part> {
    let before = leaves.iter().filter_map(|leaf| before_landmark(&leaf.name));
    let known: HashSet<String> = before.map(str::to_owned).collect();
    let parts = if known.is_empty() { by_structure(leaves) } else { by_prefix(leaves, &known) };
    let is_any = |part: &Part| part.leaves.iter().any(|leaf| leaf.tensor.dtype().is_float());
    parts.into_iter().filter(is_any).map(without_wrappers).collect()
}

/// What stands before a name of a known layout.
fn before_landmark(name: &str) -> Option<&str> {
    let mut before = LANDMARKS.iter().filter_map(|landmark| name.strip_suffix(landmark));
    before.find(|before| before.is_empty() || before.ends_with('.'))
}

/// The tensors by what stands before names of a known layout; a prefix that begins with another is a copy within that.
fn by_prefix(leaves: Vec<Leaf>, known: &HashSet<String>) -> Vec<Part> {
    /// The longest prefix, in parts.
    const MOST_PARTS: usize = 64;
    let mut parts: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
    for leaf in leaves {
        let ends = leaf.name.match_indices('.').map(|(at, _)| at + 1).take(MOST_PARTS);
        let mut prefixes = std::iter::once(0).chain(ends).filter(|end| known.contains(&leaf.name[..*end]));
        if let (Some(end), None) = (prefixes.next(), prefixes.next()) {
            let (prefix, name) = (leaf.name[..end].to_owned(), leaf.name[end..].to_owned());
            parts.entry(prefix).or_default().push(Leaf { name, ..leaf });
        }
    }
    parts.into_iter().map(|(prefix, leaves)| Part { prefix, leaves, known: true }).collect()
}

/// The state dicts of a map none of whose names is known.
fn by_structure(leaves: Vec<Leaf>) -> Vec<Part> {
    let whole = |leaves| vec![Part { prefix: String::new(), leaves, known: false }];
    let own: HashSet<&str> =
        leaves.iter().filter(|leaf| leaf.within.is_none()).map(|leaf| leaf.name.as_str()).collect();
    // Whether each map has names of the top only: then it is a copy.
    let mut maps: HashMap<Arc<str>, bool> = HashMap::new();
    for leaf in &leaves {
        if let Some(within) = &leaf.within {
            let is_copy = maps.entry(within.clone()).or_insert(true);
            *is_copy &= own.contains(&leaf.name[within.len() + 1..]);
        }
    }
    let is_inside = |leaf: &Leaf| leaf.within.as_ref().is_some_and(|within| !maps[within]);
    if leaves.iter().any(|leaf| leaf.within.is_none() && is_matrix(leaf)) {
        return whole(leaves.iter().filter(|leaf| leaf.within.is_none() || is_inside(leaf)).cloned().collect());
    }
    let are_numbers = leaves.iter().filter(|leaf| leaf.within.is_none()).all(|leaf| leaf.tensor.len() <= 1);
    let holds_another = maps.keys().any(|within| HOLDERS.contains(&&**within)) || (maps.len() == 1 && are_numbers);
    if !holds_another {
        return whole(leaves);
    }
    let mut parts: BTreeMap<String, Vec<Leaf>> = BTreeMap::new();
    for leaf in leaves {
        if let Some(within) = &leaf.within {
            let (prefix, name) = (format!("{within}."), leaf.name[within.len() + 1..].to_owned());
            parts.entry(prefix).or_default().push(Leaf { name, ..leaf });
        }
    }
    parts.into_iter().map(|(prefix, leaves)| Part { prefix, leaves, known: false }).collect()
}

/// The part without what programs put before all names.
fn without_wrappers(mut part: Part) -> Part {
    let mut start = 0;
    let wraps_all = |start: usize, wrapper: &str| {
        part.leaves.iter().all(|leaf| leaf.name[start..].strip_prefix(wrapper).is_some_and(|name| !name.is_empty()))
    };
    while let Some(wrapper) = WRAPPERS.iter().find(|wrapper| !part.known && wraps_all(start, wrapper)) {
        start += wrapper.len();
    }
    // All begin alike so far.
    part.prefix += part.leaves.first().map_or("", |leaf| &leaf.name[..start]);
    part.leaves.iter_mut().for_each(|leaf| drop(leaf.name.drain(..start)));
    part
}
