//! Initialisation.

use super::{Config, Model};
use crate::{Result, random, scalar::Scalar};
use rand_distr::{Distribution, StandardNormal};

impl<T: Scalar> Model<T> {
    /// A model as TransformerLens starts one by default (its `init_mode="gpt2"`): every `W_…` normal with standard
    /// deviation 0.8/√d_model (its default `initializer_range`), biases 0, the norms' `w` 1.
    ///
    /// The numbers come from the stream `"init"` of `seed`, in f64, in the layout's order: they are not PyTorch's.
    ///
    /// # Errors
    /// A config that [`Config::validate`] refuses.
    pub fn init(config: Config, seed: u64) -> Result<Self> {
        let std = 0.8 / (config.d_model as f64).sqrt();
        let mut model = Self::zeros(config)?;
        let mut rng = random::stream(seed, "init");
        let layout = model.params.layout().clone();
        for named in layout.names() {
            let leaf = named.name.rsplit('.').next().unwrap_or_default();
            let values = &mut model.params.values_mut()[named.range()];
            if leaf.starts_with("W_") {
                for value in values {
                    let normal: f64 = StandardNormal.sample(&mut rng);
                    *value = T::of(std * normal);
                }
            } else if leaf == "w" {
                values.fill(T::one());
            }
        }
        Ok(model)
    }
}
