//! Two hundred random models of the whole family: precisions, backends and processing agree, and gradients are those of
//! finite differences. A failure names the seed.

use crate::gradients;
use algolens_core::{
    engine::{Backend, Batch, Engine, Plain, Precision, Vectors},
    model::{Config, Model, Params},
    task::Token,
};
use algolens_testing::{largest_difference, log_probs, random_config, random_model, random_tokens};
use ndarray::Array2;

const SEEDS: std::ops::Range<u64> = 0..200;
const LISTS: usize = 3;

/// A model of moderate weights: without norms, logits of large ones bend too fast for finite differences.
fn random(seed: u64) -> (Model<f64>, Array2<Token>) {
    let config = random_config(seed);
    let tokens = random_tokens(LISTS, config.n_ctx - 1, config.d_vocab, seed);
    let mut model = random_model(config, seed);
    model.params.values_mut().iter_mut().for_each(|value| *value *= 0.5);
    (model, tokens)
}

/// The largest difference as a share of the largest number.
fn off(found: &[f64], expected: &[f64]) -> f64 {
    largest_difference(found, expected) / expected.iter().fold(1.0, |most: f64, x| most.max(x.abs()))
}

/// Logits at some positions, and the gradients of a loss, in f64.
fn results<T: Precision>(engine: &dyn Engine<T>, model: &Model<T>, tokens: &Array2<Token>) -> [Vec<f64>; 2] {
    let positions = [0, tokens.ncols() - 1];
    let logits = engine.logits(model, tokens.view(), &positions).unwrap();
    let classes = model.config().d_vocab_out as Token;
    let targets = Array2::from_shape_fn((tokens.nrows(), 2), |(list, at)| (list + at) as Token % classes);
    let batch = Batch { tokens: tokens.view(), positions: &positions, targets: targets.view().into() };
    let mut gradients = Params::like(model.params.layout().clone());
    engine.loss_and_gradients(model, batch, &mut gradients).unwrap();
    let numbers = |values: &[T]| values.iter().map(|x| x.as_f64()).collect();
    [numbers(logits.as_slice().unwrap()), numbers(gradients.values())]
}

#[test]
fn single_precision_and_every_backend_agree_with_double_precision() {
    let mut covered = [0; 3];
    for seed in SEEDS {
        let (model, tokens) = random(seed);
        let expected = results(&Plain::<f64>::new(), &model, &tokens);
        let single: Model<f32> = model.cast();
        for (backend, covered) in Backend::ALL.into_iter().zip(&mut covered) {
            if backend.check(model.config()).is_err() {
                continue;
            }
            *covered += 1;
            let found = results(&*backend.engine(Vectors::best()), &single, &tokens);
            for (what, found, expected) in [("logits", &found[0], &expected[0]), ("gradients", &found[1], &expected[1])]
            {
                let off = off(found, expected);
                assert!(off < 2e-4, "seed {seed}, {backend}: {what} are off by {off}: {:?}", model.config());
            }
        }
    }
    println!("circuit, table, plain: {covered:?} of {SEEDS:?}");
    assert!(covered[1] > 10 && covered[2] == 200, "{covered:?}");
}

#[test]
fn processing_keeps_log_probabilities() {
    let mut steps = 0;
    for seed in SEEDS {
        let (model, tokens) = random(seed);
        let processed = model.process();
        steps += processed.applied.len();
        let (before, after) = (log_probs(&model, tokens.view()), log_probs(&processed.model, tokens.view()));
        let off = largest_difference(&before, &after);
        assert!(off < 1e-9, "seed {seed}: off by {off} after {:?}: {:?}", processed.applied, model.config());
    }
    assert!(steps > 300, "{steps} steps");
}

#[test]
fn gradients_agree_with_finite_differences() {
    for seed in SEEDS {
        let (model, tokens) = random(seed);
        gradients::check_some(model.clone(), tokens, seed)
            .unwrap_or_else(|error| panic!("seed {seed}: {error}: {:?}", model.config()));
    }
}

#[test]
fn absent_biases_are_not_counted() {
    for seed in SEEDS {
        let config: Config = random_config(seed);
        let params = Params::<f32>::zeros(&config);
        let biases = |name: &str| params.tensors().filter(|(tensor, _)| tensor.ends_with(name)).count();
        assert_eq!(biases("b_U"), usize::from(config.biases.b_U), "seed {seed}");
        let attention = if config.n_heads == 0 { 0 } else { config.n_layers };
        assert_eq!(biases("attn.b_O"), attention * usize::from(config.biases.b_O), "seed {seed}");
    }
}
