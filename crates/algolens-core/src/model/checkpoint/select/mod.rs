//! Which of a file's values is the state dict to read.
//!
//! A state dict is a map of names to tensors, or of names to such maps, or a module. It may stand anywhere in a file: below
//! keys, beside an optimizer's state, losses and configs, or with a prefix before its names.

mod describe;
mod maps;
mod split;

use super::container::{Budget, Contents, MOST_TENSORS, Tensor, Value};
use crate::{Error, Result};
use describe::describe;
use maps::{ENTRY, Entry, Leaf, attributes, entries, is_optimizer, leaves, plain, size};
use split::{Part, split};
use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// The state dict of a file, and what stands around it.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its tensors, by names without prefixes.
    pub tensors: BTreeMap<String, Arc<Tensor>>,
    /// Where it stands: keys and prefixes, parted by dots; empty at the top.
    pub key: String,
    /// What holds the other tensors of the file, by its keys.
    pub outside: Vec<String>,
    /// The values next to it that hold no tensors (configs, losses), and what holds it, by their keys.
    pub beside: Vec<(String, Value)>,
}

/// A value that holds the one that was looked at, and that one's name there.
type Step<'a> = (&'a Value, Cow<'a, str>);

/// A state dict that may be meant, and the way to it.
struct Candidate<'a> {
    trail: Vec<Step<'a>>,
    map: &'a Value,
    part: Part,
}

impl Contents {
    /// The state dict that a file is about: what `key` leads to (`model`, `epochs.12`), or the only one there is. The top
    /// level goes before what is nested in it, and what an optimizer keeps is none.
    ///
    /// # Errors
    /// [`Error::SeveralStateDicts`] where several may be meant; [`Error::Invalid`] for a key that leads nowhere, and for
    /// what holds none; [`Error::Checkpoint`] for tensors beyond counting.
    pub fn choose(&self, key: Option<&str>) -> Result<Chosen> {
        if self.root.tensors() > MOST_TENSORS {
            return Err(Error::checkpoint(format_args!("it holds more than {MOST_TENSORS} tensors")));
        }
        let mut search = Search { names: Budget::of_file(self.length()), found: Vec::new() };
        let looked_at = match key {
            Some(key) => search.below(&self.root, key)?,
            None => {
                search.walk(&self.root, &mut Vec::new())?;
                &self.root
            }
        };
        let chosen = one_of(search.found, || (key, describe(looked_at)))?;
        let mut bytes = Budget::of_file(self.length());
        for leaf in &chosen.part.leaves {
            bytes.claim(leaf.tensor.byte_len(), &leaf.name)?;
        }
        chosen.finish(Budget::of_file(self.length()))
    }
}

struct Search<'a> {
    /// What names may take.
    names: Budget,
    found: Vec<Candidate<'a>>,
}

impl<'a> Search<'a> {
    /// Finds the state dicts in a value.
    fn walk(&mut self, value: &'a Value, trail: &mut Vec<Step<'a>>) -> Result<()> {
        if value.tensors() == 0 {
            return Ok(());
        }
        self.names.claim(size(value) * ENTRY, "a map")?;
        if is_optimizer(value) {
            return Ok(());
        }
        let inner = match (entries(value), value) {
            (Some(entries), _) => {
                let parts = split(leaves(&entries, &mut self.names)?);
                let is_top = |part: &Part| part.prefix.is_empty() && (part.known || part.has_matrix());
                let has_top = parts.iter().any(is_top);
                // Each has its own way to it.
                self.names.claim(parts.len() * size_of_val(trail.as_slice()), "the way to a state dict")?;
                let candidates = parts.into_iter().map(|part| Candidate { trail: trail.clone(), map: value, part });
                self.found.extend(candidates);
                if has_top {
                    return Ok(());
                }
                entries.into_iter().filter(|(_, value)| !value.is_only_tensors()).collect()
            }
            (None, Value::List(list)) => {
                let named = list.items().iter().enumerate();
                named.map(|(at, item)| (Cow::Owned(at.to_string()), item)).collect()
            }
            (None, _) => attributes(value),
        };
        for (name, inner) in inner {
            self.names.claim(ENTRY, "an entry")?;
            trail.push((value, name));
            self.walk(inner, trail)?;
            trail.pop();
        }
        Ok(())
    }

    /// Finds the state dicts below a key; what it leads to.
    fn below(&mut self, root: &'a Value, key: &str) -> Result<&'a Value> {
        let (mut value, mut trail, mut rest) = (root, Vec::new(), key);
        while !rest.is_empty() {
            let Some((name, inner)) = step(value, rest) else {
                // A name may have the rest of the key as its prefix.
                let prefix = format!("{rest}.");
                let all = leaves(&entries(value).unwrap_or_default(), &mut self.names)?;
                let inside = all.into_iter().filter_map(|leaf| {
                    let name = leaf.name.strip_prefix(&prefix)?.to_owned();
                    Some(Leaf { name, within: None, ..leaf })
                });
                let inside: Vec<Leaf> = inside.collect();
                if inside.is_empty() {
                    return Err(no_such_key(value, key));
                }
                for part in split(inside) {
                    let part = Part { prefix: format!("{prefix}{}", part.prefix), ..part };
                    self.found.push(Candidate { trail: trail.clone(), map: value, part });
                }
                return Ok(value);
            };
            rest = rest[name.len()..].trim_start_matches('.');
            trail.push((value, name));
            value = inner;
        }
        self.walk(value, &mut trail)?;
        Ok(value)
    }
}

/// The entry of a value whose name is a key, or the longest that the key begins with.
fn step<'a>(value: &'a Value, key: &str) -> Option<Entry<'a>> {
    let begins = |name: &str| {
        !name.is_empty() && key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    if let Value::List(list) = value {
        let name = key.split('.').next()?;
        let inner = list.items().get(name.parse::<usize>().ok()?)?;
        return Some((Cow::Owned(name.to_owned()), inner));
    }
    let all = entries(value).into_iter().flatten().chain(attributes(value));
    all.filter(|(name, _)| begins(name)).max_by_key(|(name, _)| name.len())
}

fn no_such_key(value: &Value, key: &str) -> Error {
    let names = entries(value).unwrap_or_else(|| attributes(value)).into_iter().map(|(name, _)| name);
    let there = match value {
        Value::List(list) => format!("a number below {}", list.items().len()),
        _ => format!("one of {}", names.collect::<Vec<_>>().join(", ")),
    };
    Error::invalid("key", there, key)
}

/// The only candidate: of those with names of a known layout, else of those with matrices. What has neither (two numbers of
/// a config, say) is no model.
fn one_of<'a>(found: Vec<Candidate<'a>>, looked_at: impl Fn() -> (Option<&'a str>, String)) -> Result<Candidate<'a>> {
    let any_known = found.iter().any(|found| found.part.known);
    let test = |found: &Candidate| if any_known { found.part.known } else { found.part.has_matrix() };
    let mut best: Vec<Candidate> = Vec::new();
    for candidate in found.into_iter().filter(test) {
        // What a file mentions twice is one.
        if best.last().is_none_or(|last| !last.part.is_same(&candidate.part)) {
            best.push(candidate);
        }
    }
    match best.len() {
        1 => Ok(best.remove(0)),
        0 => {
            let (key, what) = looked_at();
            let place = key.map_or_else(|| "checkpoint".to_owned(), |key| format!("key {key}"));
            Err(Error::invalid(place, "a state dict (names and tensors)", what))
        }
        _ => Err(Error::several_state_dicts(best.iter().map(|found| (found.key(), found.part.leaves.len())))),
    }
}

impl Candidate<'_> {
    /// The key that leads to it.
    fn key(&self) -> String {
        let mut key: Vec<&str> = self.trail.iter().map(|(_, name)| &**name).collect();
        key.extend((!self.part.prefix.is_empty()).then(|| self.part.prefix.trim_end_matches('.')));
        key.join(".")
    }

    /// The state dict, and what stands around it.
    fn finish(self, names: Budget) -> Result<Chosen> {
        let key = self.key();
        let mut around = Around { path: String::new(), names, outside: Vec::new(), beside: Vec::new() };
        for (holder, name) in &self.trail {
            around.holder(holder, name)?;
        }
        // The tensors of the map itself are told one by one; what holds more than tensors, as a whole.
        let Part { prefix, leaves: chosen, .. } = self.part;
        let names: HashSet<&str> = chosen.iter().map(|leaf| leaf.name.as_str()).collect();
        let all = entries(self.map).unwrap_or_default();
        for leaf in leaves(&all, &mut around.names)? {
            if !leaf.name.strip_prefix(&prefix).is_some_and(|name| names.contains(name)) {
                around.outside(&leaf.name)?;
            }
        }
        for (name, value) in &all {
            if value.tensors() > 0 && (!value.is_only_tensors() || is_optimizer(value)) {
                around.outside(name)?;
            }
        }
        around.maps_on_the_way(self.map, prefix.trim_end_matches('.'))?;
        let mut tensors = BTreeMap::new();
        for Leaf { name, tensor, .. } in chosen {
            if tensors.contains_key(&name) {
                return Err(Error::invalid(name, "one tensor of that name", "two"));
            }
            tensors.insert(name, tensor);
        }
        Ok(Chosen { tensors, key, outside: around.outside, beside: around.beside })
    }
}

/// What stands around a state dict, from the root to it.
struct Around {
    path: String,
    names: Budget,
    outside: Vec<String>,
    beside: Vec<(String, Value)>,
}

impl Around {
    /// Notes what stands in a holder beside the entry of a name, and goes on to that.
    fn holder(&mut self, holder: &Value, chosen: &str) -> Result<()> {
        if let Value::List(list) = holder {
            if list.items().len() > 1 {
                self.outside("*")?;
            }
        } else {
            let all = entries(holder).into_iter().flatten().chain(attributes(holder));
            for (name, _) in all.filter(|(name, value)| name != chosen && value.tensors() > 0) {
                self.outside(&name)?;
            }
            self.plain(holder)?;
        }
        self.path = self.name(chosen)?;
        Ok(())
    }

    /// Notes the plain values of a map, and of the maps in it that a prefix leads through.
    fn maps_on_the_way(&mut self, map: &Value, prefix: &str) -> Result<()> {
        let (mut map, mut rest) = (map, prefix);
        self.plain(map)?;
        while let Some((name, inner)) = step(map, rest) {
            self.path = self.name(&name)?;
            rest = rest[name.len()..].trim_start_matches('.');
            map = inner;
            self.plain(map)?;
        }
        Ok(())
    }

    fn plain(&mut self, map: &Value) -> Result<()> {
        for (name, value) in plain(map) {
            let name = self.name(&name)?;
            self.beside.push((name, value.clone()));
        }
        Ok(())
    }

    fn outside(&mut self, name: &str) -> Result<()> {
        let name = self.name(name)?;
        self.outside.push(name);
        Ok(())
    }

    /// A name with the path before it.
    fn name(&mut self, name: &str) -> Result<String> {
        self.names.claim(self.path.len() + name.len() + 1, "a name")?;
        Ok(if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) })
    }
}
