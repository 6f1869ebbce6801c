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
use sha2::{Digest, Sha256};
use std::fmt::Write;

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

impl Model {
    /// SHA-256 of the config (as JSON) and of the weights (f32, little-endian, in the layout's order), in hexadecimal.
    pub fn sha256(&self) -> String {
        let config = serde_json::to_vec(&self.config).expect("a config is plain data");
        let mut hash = Sha256::new().chain_update(config);
        self.params.values().iter().for_each(|weight| hash.update(weight.to_le_bytes()));
        hash.finalize().iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").expect("writing to a string does not fail");
            text
        })
    }
}
