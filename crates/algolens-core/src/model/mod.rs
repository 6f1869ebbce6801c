//! A model: its config, its named weights, and what can be done to them without running it.

mod biases;
pub mod checkpoint;
mod config;
mod init;
mod layout;
mod params;
pub mod processing;
mod validate;

pub use biases::Biases;
pub use config::{ActFn, AttentionDir, Config, Mlp, Normalization, Positions, Rotary};
pub use layout::{BlockLayout, K, MlpLayout, Named, NormLayout, ParamLayout, Q, Slot, V};
pub use params::Params;

use crate::{Result, Scalar};

/// A transformer: a config and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct Model<T = f32> {
    config: Config,
    /// The weights.
    pub params: Params<T>,
}

impl<T: Scalar> Model<T> {
    /// A model of zeros.
    ///
    /// # Errors
    /// A config that [`Config::validate`] refuses.
    pub fn zeros(config: Config) -> Result<Self> {
        config.validate()?;
        let params = Params::zeros(&config);
        Ok(Self { config, params })
    }

    /// The config.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The model in another precision.
    pub fn cast<U: Scalar>(&self) -> Model<U> {
        Model { config: self.config.clone(), params: self.params.cast() }
    }
}
