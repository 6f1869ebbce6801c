//! Tensors by name, as they become a model's weights.

use super::container::{Order, Tensor};
use crate::{
    Error, Result, Scalar,
    model::{Config, Model, ParamLayout},
};
use sha2::{Digest, Sha256};
use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};
use wildmatch::WildMatch;

/// The tensors that a model is read from.
#[derive(Debug, Default)]
pub(super) struct StateDict {
    tensors: BTreeMap<String, Arc<Tensor>>,
    /// Patterns of names that a user says are no weights.
    ignore: Vec<String>,
}

/// What of a state dict is no weight of the model.
struct Extra {
    /// Known buffers, copies of weights, and what is ignored.
    passed_over: Vec<String>,
    /// All else: it may change what the model computes.
    unknown: Vec<String>,
}

impl StateDict {
    /// These tensors.
    pub fn new(tensors: BTreeMap<String, Arc<Tensor>>) -> Self {
        Self { tensors, ignore: Vec::new() }
    }

    /// The state dict without what has a name of these patterns, if that is no weight; `*` stands for anything.
    ///
    /// # Errors
    /// A pattern that no name has.
    pub fn ignoring(self, patterns: &[String]) -> Result<Self> {
        for pattern in patterns {
            if !self.names().any(|name| fits(pattern, name)) {
                return Err(Error::invalid("name to ignore", "the name of a tensor of the state dict", pattern));
            }
        }
        Ok(Self { ignore: patterns.to_vec(), ..self })
    }

    /// Every tensor with its name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Arc<Tensor>)> {
        self.tensors.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Other tensors, of which the same is ignored.
    pub fn with_tensors(&self, tensors: BTreeMap<String, Arc<Tensor>>) -> Self {
        Self { tensors, ignore: self.ignore.clone() }
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name).map(|tensor| &**tensor)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The shape of a weight that must be there, with this number of dimensions.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let shape = self.tensor(name)?.shape();
        shape.try_into().map_err(|_| Error::invalid(name, format!("{D} dimensions"), format!("shape {shape:?}")))
    }

    /// A model of this config with these weights, each the nearest number in `T`; and the names of the tensors that are no
    /// weights of it.
    pub fn fill<T: Scalar>(&self, config: Config) -> Result<(Model<T>, Vec<String>)> {
        let layout = ParamLayout::of(&config);
        // Before any memory is taken for what the config claims.
        for named in layout.names() {
            let (tensor, shape) = (self.tensor(&named.name)?, &named.shape);
            if tensor.shape() != shape {
                return Err(Error::invalid(&named.name, format!("shape {shape:?}"), format!("{:?}", tensor.shape())));
            }
        }
        let Extra { passed_over, unknown } = self.extra(&layout);
        if !unknown.is_empty() {
            let expected = "only weights of this kind of model, but for names to ignore";
            return Err(Error::invalid("checkpoint", expected, unknown.join(", ")));
        }
        let mut model = Model::zeros(config)?;
        for named in layout.names() {
            model.params.values_mut()[named.range()].copy_from_slice(&self.weight(&named.name)?);
        }
        Ok((model, passed_over))
    }

    fn tensor(&self, name: &str) -> Result<&Tensor> {
        self.get(name).ok_or_else(|| Error::invalid(name, "a tensor of that name", "none"))
    }

    fn weight<T: Scalar>(&self, name: &str) -> Result<Vec<T>> {
        const FLOATS: &str = "float16, bfloat16, float32 or float64";
        let tensor = self.tensor(name)?;
        let values = tensor.floats::<T>().ok_or_else(|| Error::invalid(name, FLOATS, tensor.dtype()))?;
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(Error::invalid(name, "finite numbers", format!("{} at element {at}", values[at]))),
        }
    }

    /// What is no weight: known by its name, by being a weight again, or by the user; and the rest.
    fn extra(&self, layout: &ParamLayout) -> Extra {
        let weights: HashSet<&str> = layout.names().iter().map(|named| named.name.as_str()).collect();
        let mut extra = Extra { passed_over: Vec::new(), unknown: Vec::new() };
        let mut copies = None;
        for (name, tensor) in self.tensors.iter().filter(|(name, _)| !weights.contains(name.as_str())) {
            let is_known = is_buffer(name) || self.ignore.iter().any(|pattern| fits(pattern, name));
            let of_weights = || Weights::new(layout.names().iter().filter_map(|named| self.get(&named.name)));
            if is_known || copies.get_or_insert_with(of_weights).have(tensor) {
                extra.passed_over.push(name.clone());
            } else {
                extra.unknown.push(name.clone());
            }
        }
        extra
    }
}

/// Whether a tensor of this name is a buffer that TransformerLens saves beside the weights of a block's attention: `mask`,
/// `IGNORE`, the score of what the mask forbids, and the tables of rotary positions. The config is read off them. What has
/// another name may change what the model computes, so it is never passed over.
pub(super) fn is_buffer(name: &str) -> bool {
    const BUFFERS: [&str; 4] = ["attn.mask", "attn.IGNORE", "attn.rotary_sin", "attn.rotary_cos"];
    let in_block = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.'));
    in_block.is_some_and(|(_, rest)| BUFFERS.contains(&rest))
}

/// Whether a name is of a pattern, in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    WildMatch::new(pattern).matches(name)
}

/// The weights of a model, to tell what is one of them again.
struct Weights {
    /// By memory, in the order of their beginnings: where each begins, and where the last of those so far ends.
    places: HashMap<usize, Vec<(usize, usize)>>,
    digests: HashMap<Vec<usize>, HashSet<[u8; 32]>>,
}

impl Weights {
    fn new<'a>(tensors: impl Iterator<Item = &'a Tensor>) -> Self {
        let mut weights = Self { places: HashMap::new(), digests: HashMap::new() };
        for tensor in tensors {
            let (memory, place) = tensor.place();
            weights.places.entry(memory).or_default().push((place.start, place.end));
            weights.digests.entry(tensor.shape().to_vec()).or_default().insert(digest(tensor));
        }
        for places in weights.places.values_mut() {
            places.sort_unstable();
            let mut last = 0;
            for (_, end) in places {
                last = last.max(*end);
                *end = last;
            }
        }
        weights
    }

    /// Whether a tensor lies in the memory of a weight, or has its shape and its every bit. One whose elements are all
    /// equal (a bias of zeros, a norm of ones) equals others by chance, so it is no copy.
    fn have(&self, tensor: &Tensor) -> bool {
        let (memory, place) = tensor.place();
        let places = self.places.get(&memory).map_or(&[][..], Vec::as_slice);
        let before = places.partition_point(|(start, _)| *start <= place.start);
        if !place.is_empty() && places[..before].last().is_some_and(|(_, end)| *end >= place.end) {
            return true;
        }
        let bytes = tensor.bytes();
        let is_constant = bytes.chunks(tensor.dtype().size()).all(|element| bytes.starts_with(element));
        let same_shape = self.digests.get(tensor.shape());
        !is_constant && same_shape.is_some_and(|digests| digests.contains(&digest(tensor)))
    }
}

/// A digest of a tensor's type and elements.
fn digest(tensor: &Tensor) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update([tensor.dtype() as u8, u8::from(tensor.order() == Order::Big)]);
    hash.update(tensor.bytes());
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        let fitting = [
            ("x_embed", "x_embed"),
            ("*", ""),
            ("*_embed", "x_embed"),
            ("x*d", "xd"),
            ("a*b*a", "abcba"),
            ("a**", "a"),
        ];
        for (pattern, name) in fitting {
            assert!(fits(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [("x", "x_embed"), ("", "x"), ("*a", "ab"), ("a*a", "a"), ("a*b*c", "acb"), ("b*", "ab")]
        {
            assert!(!fits(pattern, name), "{pattern} {name}");
        }
    }
}
