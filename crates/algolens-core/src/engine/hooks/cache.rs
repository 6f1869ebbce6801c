//! What a run leaves behind.

use super::HookPoint;
use crate::{Error, Result, Scalar, model::Config};
use ndarray::{ArrayD, ArrayView, ArrayViewD, Dimension};
use std::collections::{BTreeMap, BTreeSet};

/// Activations (or gradients of activations) by hook name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cache<T> {
    activations: BTreeMap<String, ArrayD<T>>,
}

impl<T: Scalar> Cache<T> {
    /// Records the activation of a point, in place of what was recorded of it before.
    pub fn insert(&mut self, point: HookPoint, activation: ArrayD<T>) {
        self.activations.insert(point.to_string(), activation);
    }

    /// The activation of this name, in whatever number of dimensions it has.
    ///
    /// # Errors
    /// [`Error::UnknownName`] with the names near it, if the run did not record it.
    pub fn activation(&self, name: &str) -> Result<ArrayViewD<'_, T>> {
        match self.find(name) {
            Some(activation) => Ok(activation),
            None => Err(Error::unknown("activation in the cache", name, self.activations.keys().cloned())),
        }
    }

    /// The activation of this name, if the run recorded it.
    pub fn find(&self, name: &str) -> Option<ArrayViewD<'_, T>> {
        self.activations.get(name).map(|activation| activation.view())
    }

    /// The activation of this name with the caller's number of dimensions: `cache.get::<Ix4>("…hook_pattern")`.
    ///
    /// # Errors
    /// As [`activation`](Self::activation); also if the activation has another number of dimensions.
    pub fn get<D: Dimension>(&self, name: &str) -> Result<ArrayView<'_, T, D>> {
        let activation = self.activation(name)?;
        let found = activation.ndim();
        activation.into_dimensionality().map_err(|_| {
            let expected = D::NDIM.map_or_else(|| "any number of".into(), |n| n.to_string());
            Error::invalid(name, format!("{expected} dimensions"), found)
        })
    }

    /// The activations themselves, by name.
    pub fn into_activations(self) -> BTreeMap<String, ArrayD<T>> {
        self.activations
    }

    /// Every activation with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, ArrayViewD<'_, T>)> {
        self.activations.iter().map(|(name, activation)| (name.as_str(), activation.view()))
    }
}

/// Which activations a run records.
#[derive(Clone, Copy)]
pub enum Filter<'a> {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those of these names.
    Names(&'a [&'a str]),
    /// Those whose name this accepts.
    Matching(&'a dyn Fn(&str) -> bool),
}

impl Filter<'_> {
    /// The points of a model that are recorded, each once.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a name that the model does not have.
    pub fn points(&self, config: &Config) -> Result<Vec<HookPoint>> {
        let all = || HookPoint::all(config);
        match self {
            Self::Nothing => Ok(Vec::new()),
            Self::All => Ok(all()),
            Self::Names(names) => {
                let points: BTreeSet<_> =
                    names.iter().map(|name| HookPoint::find(name, config)).collect::<Result<_>>()?;
                Ok(points.into_iter().collect())
            }
            Self::Matching(accepts) => Ok(all().into_iter().filter(|point| accepts(&point.to_string())).collect()),
        }
    }
}
