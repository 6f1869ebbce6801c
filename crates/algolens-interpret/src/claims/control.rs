//! Controls: models that are like a model in some way, but lack what a claim says of it.

use algolens_core::{
    Error, Result,
    model::{
        K, Model, Q,
        processing::{Processed, Step},
    },
    random,
};
use ndarray::{Array2, ArrayView2, Axis};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};

/// A kind of control.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Control {
    /// [`random_weights`]: what the shape of a model gives by chance.
    RandomWeights,
    /// [`relabelled`]: as good a model of another order of the values. What still holds did not need the order.
    Relabelled,
    /// [`exchanged_heads`]: every head attends as another one. What still holds did not need that the head which attends is the
    /// one that copies.
    ExchangedHeads,
}

impl Control {
    /// The control's name in words.
    pub fn name(self) -> &'static str {
        match self {
            Self::RandomWeights => "random weights",
            Self::Relabelled => "values relabelled",
            Self::ExchangedHeads => "heads exchanged",
        }
    }
}

/// Number of random models, and of relabellings.
const MODELS: u64 = 5;

/// Five models of the same shape with random weights of seeds 0 to 4, processed if the model's weights went through a processing.
///
/// # Errors
/// None for the shape of a model that there is.
pub fn random_weights(model: &Model, processing: &[Step]) -> Result<Vec<Model>> {
    let of_seed = |seed| {
        let random = Model::init(model.config().clone(), seed)?;
        if processing.is_empty() {
            return Ok(random);
        }
        let Processed { model, .. } = random.process();
        Ok(model)
    };
    (0..MODELS).map(of_seed).collect()
}

/// The model under five random permutations of its first `values` tokens and classes: rows of `W_E`, and columns of `W_U` and
/// `b_U` with them. Each sorts as well as the model, by another order.
///
/// # Errors
/// More values than the model has tokens or classes.
pub fn relabelled(model: &Model, values: usize, seed: u64) -> Result<Vec<Model>> {
    let config = model.config();
    let most = config.d_vocab.min(config.d_vocab_out);
    if values > most {
        return Err(Error::invalid("values", format!("at most {most}"), values));
    }
    let relabel = |at: u64| {
        let mut order: Vec<usize> = (0..values).collect();
        order.shuffle(&mut random::stream(seed, &format!("relabelling/{at}")));
        let mut relabelled = model.clone();
        let layout = model.params.layout().clone();
        let select = |from: ArrayView2<f32>, axis: usize| -> Array2<f32> {
            let rest = values..from.len_of(Axis(axis));
            from.select(Axis(axis), &order.iter().copied().chain(rest).collect::<Vec<_>>())
        };
        let params = &model.params;
        relabelled.params.get_mut(layout.W_E).assign(&select(params.get(layout.W_E), 0));
        if let Some(w_u) = layout.W_U {
            relabelled.params.get_mut(w_u).assign(&select(params.get(w_u), 1));
        }
        if let Some(slot) = layout.b_U {
            let b_u = select(params.get(slot).insert_axis(Axis(0)), 1);
            relabelled.params.get_mut(slot).assign(&b_u.row(0));
        }
        relabelled
    };
    Ok((0..MODELS).map(relabel).collect())
}

/// The model in which every head of a block has the queries and keys (`W_Q`, `b_Q`, `W_K`, `b_K`) of the head after it, the last
/// those of the first: with two heads, exchanged. None for a model of one head.
pub fn exchanged_heads(model: &Model) -> Vec<Model> {
    let heads = model.config().n_heads;
    if heads < 2 {
        return Vec::new();
    }
    let mut exchanged = model.clone();
    for block in &model.params.layout().blocks {
        for side in [Q, K] {
            let w = block.W_QKV[side];
            let heads = model.params.get(w).len_of(Axis(0));
            let next: Vec<usize> = (0..heads).map(|head| (head + 1) % heads).collect();
            exchanged.params.get_mut(w).assign(&model.params.get(w).select(Axis(0), &next));
            let Some(biases) = block.b_QKV else { continue };
            exchanged.params.get_mut(biases[side]).assign(&model.params.get(biases[side]).select(Axis(0), &next));
        }
    }
    vec![exchanged]
}

#[cfg(test)]
mod tests {
    use super::*;
    use algolens_core::{
        engine::{Engine, Plain, hooks::Filter},
        model::Config,
        task::SortedList,
    };
    use ndarray::{Ix4, s};

    const VALUES: usize = 9;

    fn model(n_heads: usize) -> Model {
        let config =
            Config { n_heads, d_model: 8, d_head: 4, n_ctx: 7, d_vocab: 10, d_vocab_out: 10, ..Config::default() };
        let mut model = Model::init(config, 1).unwrap();
        let mut weight = 0.0;
        // No bias is zero, so that one which stays behind is seen.
        for value in model.params.values_mut().iter_mut().filter(|value| **value == 0.0) {
            weight = (weight + 0.37_f32) % 1.0;
            *value = weight;
        }
        model
    }

    #[test]
    fn a_relabelled_model_says_the_same_of_other_tokens() {
        let model = model(2);
        let rows = |model: &Model| -> Vec<Vec<f32>> {
            model.params.get(model.params.layout().W_E).rows().into_iter().map(|row| row.to_vec()).collect()
        };
        let (tokens, old) = (SortedList::new(3, 8).unwrap().dataset(5, 1).tokens().to_owned(), rows(&model));
        let mut orders = Vec::new();
        for relabelled in relabelled(&model, VALUES, 3).unwrap() {
            let order: Vec<usize> =
                rows(&relabelled).iter().map(|row| old.iter().position(|old| old == row).unwrap()).collect();
            assert_eq!(order[VALUES], VALUES);
            let said = Plain::new().logits(&relabelled, tokens.view(), &[3, 5]).unwrap();
            let meant = tokens.mapv(|token| order[token as usize] as u32);
            let expected = Plain::new().logits(&model, meant.view(), &[3, 5]).unwrap();
            for ((list, slot, class), logit) in said.indexed_iter() {
                assert!((logit - expected[[list, slot, order[class]]]).abs() < 1e-5);
            }
            orders.push(order);
        }
        orders.sort();
        orders.dedup();
        assert_eq!(orders.len(), 5);
        assert_eq!(relabelled(&model, 11, 3).unwrap_err().to_string(), "values: expected at most 10, found 11");
    }

    #[test]
    fn exchanged_heads_attend_as_the_next_one_and_write_as_before() {
        let tokens = SortedList::new(3, 8).unwrap().dataset(5, 1);
        for heads in [2, 3] {
            let model = model(heads);
            let exchanged = exchanged_heads(&model).remove(0);
            let cached = |model: &Model, name: &str| {
                let (_, cache) = Plain::new().run_with_cache(model, tokens.tokens(), Filter::Names(&[name])).unwrap();
                cache.get::<Ix4>(name).unwrap().to_owned()
            };
            let patterns = [&model, &exchanged].map(|model| cached(model, "blocks.0.attn.hook_pattern"));
            for head in 0..heads {
                let of_next = patterns[0].slice(s![.., (head + 1) % heads, .., ..]);
                assert_eq!(patterns[1].slice(s![.., head, .., ..]), of_next);
            }
            let [values, after] = [&model, &exchanged].map(|model| cached(model, "blocks.0.attn.hook_v"));
            assert_eq!(values, after);
            let back = (1..heads).fold(exchanged, |model, _| exchanged_heads(&model).remove(0));
            assert_eq!(back, model);
        }
        assert!(exchanged_heads(&model(1)).is_empty());
    }

    #[test]
    fn random_weights_are_of_five_seeds_and_processed_alike() {
        let (raw, Processed { model: processed, applied }) = (model(2), model(2).process());
        for (model, processing) in [(raw, &[][..]), (processed, &applied[..])] {
            let random = random_weights(&model, processing).unwrap();
            assert_eq!(random.len(), 5);
            for (at, control) in random.iter().enumerate() {
                assert_eq!(control.config(), model.config());
                assert!(random[..at].iter().all(|other| other != control));
            }
        }
    }
}
