//! Initialisation.

use super::{Config, Model};
use crate::{Result, Scalar, random};
use rand_distr::{Distribution, StandardNormal};

impl<T: Scalar> Model<T> {
    /// A model as TransformerLens starts one by default (its `init_mode="gpt2"`): every `W_…` normal with standard
    /// deviation 0.8/√d_model (its default `initializer_range`), biases 0, the norms' `w` 1.
    ///
    /// The numbers of a tensor come from a stream of its own, `"init/NAME"` of `seed`, in f64: they are not PyTorch's, and
    /// a tensor starts alike whatever other tensors the model has.
    ///
    /// # Errors
    /// A config that [`Config::validate`] refuses.
    pub fn init(config: Config, seed: u64) -> Result<Self> {
        let std = 0.8 / (config.d_model as f64).sqrt();
        let mut model = Self::zeros(config)?;
        let layout = model.params.layout().clone();
        for named in layout.names() {
            let leaf = named.name.rsplit('.').next().unwrap_or_default();
            let values = &mut model.params.values_mut()[named.range()];
            if leaf.trim_start_matches('_').starts_with("W_") {
                let mut rng = random::stream(seed, &format!("init/{}", named.name));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{task::SortedList, train::Architecture};

    #[test]
    fn weights_have_the_documented_spread_and_depend_on_seed_and_name_alone() {
        let config = Architecture::default().config(&SortedList::POST);
        let model = Model::<f64>::init(config.clone(), 3).unwrap();
        for (name, values) in model.params.tensors() {
            let mean = values.mean().unwrap();
            let std = (values.mapv(|x| x * x).mean().unwrap() - mean * mean).sqrt();
            let expected = if name.contains("W_") { 0.8 / 96.0_f64.sqrt() } else { 0.0 };
            assert!((std - expected).abs() <= 0.05 * expected, "{name}: {std}");
            assert!((mean - f64::from(u8::from(name.ends_with(".w")))).abs() < 0.01, "{name}: {mean}");
        }
        let deeper = Model::<f64>::init(Config { n_layers: 2, ..config.clone() }, 3).unwrap();
        let [one, two] = [&model, &deeper].map(|model| model.params.tensor("unembed.W_U").unwrap());
        assert_eq!(one, two);
        assert_ne!(model, Model::init(config, 4).unwrap());
    }
}
