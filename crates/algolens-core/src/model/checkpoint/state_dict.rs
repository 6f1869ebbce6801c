//! Tensors by name, as files hold them.

use crate::{
    Error, Result,
    model::{Config, Layout, Model},
};
use std::collections::{BTreeMap, HashSet};

/// The tensors of a file.
#[derive(Debug, Default)]
pub(super) struct StateDict {
    tensors: BTreeMap<String, Tensor>,
}

/// A tensor as a file holds it.
#[derive(Debug)]
pub(super) struct Tensor {
    pub shape: Vec<usize>,
    pub values: Values,
}

/// The values of a tensor, row-major.
#[derive(Debug)]
pub(super) enum Values {
    Float(Vec<f32>),
    Bool(Vec<bool>),
    /// Of a type that no weight has, by its name.
    Other(String),
}

impl StateDict {
    /// Adds a tensor.
    pub fn insert(&mut self, name: String, tensor: Tensor) {
        self.tensors.insert(name, tensor);
    }

    /// The state dict that a file is about, and the names of the tensors that stand outside it: the weights at the top
    /// level if there are some, whatever copies of them (`ema`, say) stand below; else the only ones that have a prefix
    /// before their names, where a state dict was saved inside another (as `state_dict`, say).
    pub fn choose_prefix(mut self) -> (Self, Vec<String>) {
        const FIRST: &str = "embed.W_E";
        let prefixed = |name: &str| name.strip_suffix(FIRST).filter(|prefix| prefix.ends_with('.')).map(str::to_owned);
        let nested: Vec<String> = self.names().filter_map(prefixed).collect();
        if self.get(FIRST).is_some() {
            let is_copy = |name: &str| nested.iter().any(|prefix| name.starts_with(prefix));
            let outside: Vec<String> = self.names().filter(|name| is_copy(name)).map(str::to_owned).collect();
            self.tensors.retain(|name, _| !is_copy(name));
            return (self, outside);
        }
        let [prefix] = nested.as_slice() else { return (self, Vec::new()) };
        let mut chosen = Self::default();
        let mut outside = Vec::new();
        for (name, tensor) in self.tensors {
            match name.strip_prefix(prefix) {
                Some(inner) => chosen.insert(inner.to_owned(), tensor),
                None => outside.push(name),
            }
        }
        (chosen, outside)
    }

    /// The tensor of this name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Every name.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The names of tensors that are no weights.
    pub fn buffers(&self) -> Vec<String> {
        self.names().filter(|name| !is_weight(name)).map(str::to_owned).collect()
    }

    /// The shape of a weight that must be there, with this number of dimensions.
    pub fn shape<const D: usize>(&self, name: &str) -> Result<[usize; D]> {
        let tensor = self.get(name).ok_or_else(|| Error::invalid(name, "a tensor of that name", "none"))?;
        tensor
            .shape
            .as_slice()
            .try_into()
            .map_err(|_| Error::invalid(name, format!("{D} dimensions"), format!("shape {:?}", tensor.shape)))
    }

    /// A model of this config with these weights.
    pub fn fill(&self, config: Config) -> Result<Model<f32>> {
        let layout = Layout::of(&config);
        // Before any memory is taken for what the config claims.
        for named in layout.names() {
            self.weight(&named.name, &named.shape)?;
        }
        let known: HashSet<&str> = layout.names().iter().map(|named| named.name.as_str()).collect();
        if let Some(name) = self.names().find(|name| is_weight(name) && !known.contains(name)) {
            return Err(Error::invalid("checkpoint", "only weights of this kind of model", name));
        }
        let mut model = Model::zeros(config)?;
        for named in layout.names() {
            let values = self.weight(&named.name, &named.shape)?;
            model.params.values_mut()[named.range()].copy_from_slice(values);
        }
        Ok(model)
    }

    fn weight(&self, name: &str, shape: &[usize]) -> Result<&[f32]> {
        let tensor = self.get(name).ok_or_else(|| Error::invalid(name, "a tensor of that name", "none"))?;
        if tensor.shape != shape {
            return Err(Error::invalid(name, format!("shape {shape:?}"), format!("{:?}", tensor.shape)));
        }
        let values = match &tensor.values {
            Values::Float(values) => values,
            Values::Bool(_) => return Err(Error::invalid(name, "float32 or float64", "bool")),
            Values::Other(dtype) => return Err(Error::invalid(name, "float32 or float64", dtype)),
        };
        let claimed = shape.iter().product::<usize>();
        if values.len() != claimed {
            return Err(Error::invalid(name, format!("{claimed} numbers"), values.len()));
        }
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(at) => Err(Error::invalid(name, "finite numbers", format!("{} at element {at}", values[at]))),
        }
    }
}

/// Whether a tensor of this name takes part in the computation: all but the buffers that TransformerLens saves beside
/// the weights of a block's attention (`mask`, and `IGNORE`, the score of what the mask forbids). What has another name
/// may change what the model computes (`rotary_sin`, `W_gate`, `_W_K`), so it is never passed over.
fn is_weight(name: &str) -> bool {
    let buffer = |rest: &str| matches!(rest.split_once('.'), Some((_, "attn.mask" | "attn.IGNORE")));
    !name.strip_prefix("blocks.").is_some_and(buffer)
}
