//! Two hundred random models of the whole family: precisions, backends and processing agree, and gradients are those of
//! finite differences. A failure names the seed.

use crate::gradients;
use algolens_core::{
    engine::{Backend, Batch, Engine, Plain, Precision, Vectors},
    model::{Config, Model, Params, Positions},
    task::Token,
    train::{Adam, Recipe},
};
use algolens_testing::{larger, largest_difference, log_probs, random_config, random_model, random_tokens};
use ndarray::{Array2, Axis, s};

const SEEDS: std::ops::Range<u64> = 0..200;
const LISTS: usize = 3;
/// So many that they share the rows of the table backend.
const MANY_LISTS: usize = 40;

/// A random model of the family.
fn random(seed: u64) -> (Model<f64>, Array2<Token>) {
    model_of(random_config(seed), LISTS, seed)
}

/// A random config without what the circuit backend does not take.
fn circuit_config(seed: u64) -> Config {
    let config = random_config(seed);
    Config {
        n_layers: 1,
        n_heads: config.n_heads.max(1),
        n_key_value_heads: config.n_key_value_heads.filter(|heads| *heads > 0),
        mlp: None,
        parallel_attn_mlp: false,
        attn_windows: Vec::new(),
        attn_scores_soft_cap: None,
        output_logits_soft_cap: None,
        masked_score: None,
        pad_token: None,
        positional_embedding_type: match config.positional_embedding_type {
            Positions::Standard | Positions::Shortformer => Positions::Standard,
            Positions::Rotary(_) | Positions::None => Positions::None,
        },
        ..config
    }
}

/// A model of moderate weights: without norms, logits of large ones bend too fast for finite differences.
fn model_of(config: Config, lists: usize, seed: u64) -> (Model<f64>, Array2<Token>) {
    let tokens = random_tokens(lists, config.n_ctx - 1, config.d_vocab, seed);
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

/// Every option of [`Config::beyond_post`]; whether the circuit backend takes models that have it.
const OPTIONS: [(&str, bool); 18] = [
    ("n_heads", false),
    ("n_layers", false),
    ("n_key_value_heads", true),
    ("parallel_attn_mlp", false),
    ("gated_mlp", false),
    ("act_fn", false),
    ("normalization_type", true),
    ("final_normalization_type", true),
    ("attn_windows", false),
    ("attn_scale", true),
    ("scale_attn_by_inverse_layer_idx", true),
    ("attn_scores_soft_cap", false),
    ("output_logits_soft_cap", false),
    ("masked_score", false),
    ("pad_token", false),
    ("positional_embedding_type", true),
    ("biases", true),
    ("tie_word_embeddings", true),
];

/// Whether a backend says that it takes models of this config: table and plain all, circuit a documented few.
fn is_documented(backend: Backend, config: &Config) -> bool {
    let of_post = config.n_layers == 1 && config.mlp.is_none();
    let of_circuit = |option| OPTIONS.contains(&(option, true));
    let positions = matches!(config.positional_embedding_type, Positions::Standard | Positions::None);
    backend != Backend::Circuit || (of_post && positions && config.beyond_post().all(of_circuit))
}

/// In how many models that a backend took each option was, by backend; and the largest difference.
#[derive(Default)]
struct Taken {
    options: [[usize; OPTIONS.len()]; 3],
    largest: [f64; 3],
}

impl Taken {
    /// Runs a model on every backend that takes it.
    fn check(&mut self, seed: u64, config: Config) {
        let (model, tokens) = model_of(config, if seed.is_multiple_of(2) { MANY_LISTS } else { LISTS }, seed);
        let config = model.config();
        let expected = results(&Plain::<f64>::new(), &model, &tokens);
        let single: Model<f32> = model.cast();
        for (at, backend) in Backend::ALL.into_iter().enumerate() {
            let check = backend.check(config);
            assert_eq!(check.is_ok(), is_documented(backend, config), "seed {seed}, {backend}: {check:?}: {config:?}");
            if check.is_err() {
                continue;
            }
            for option in config.beyond_post() {
                let known = OPTIONS.iter().position(|(name, _)| *name == option);
                self.options[at][known.unwrap_or_else(|| panic!("{option} is no known option"))] += 1;
            }
            let engine = backend.engine(Vectors::best());
            // Leaves used memory.
            results(&*engine, &single, &random_tokens(tokens.nrows(), tokens.ncols(), config.d_vocab, seed + 1));
            let found = results(&*engine, &single, &tokens);
            for (what, found, expected) in [("logits", &found[0], &expected[0]), ("gradients", &found[1], &expected[1])]
            {
                let off = off(found, expected);
                self.largest[at] = larger(off, self.largest[at]);
                assert!(off < 1e-5, "seed {seed}, {backend}: {what} are off by {off}: {config:?}");
            }
        }
    }
}

#[test]
fn single_precision_and_every_backend_agree_with_double_precision() {
    let mut taken = Taken::default();
    for seed in SEEDS {
        taken.check(seed, random_config(seed));
        taken.check(seed, circuit_config(seed));
        // Of a low score, masked keys share a pattern only where there is no other key.
        if seed.is_multiple_of(10) {
            taken.check(seed, Config { masked_score: Some(-1e5), pad_token: Some(1), ..random_config(seed) });
        }
    }
    for (at, (option, of_circuit)) in OPTIONS.into_iter().enumerate() {
        let [circuit, table, plain] = taken.options.map(|options| options[at]);
        println!("{option:34} circuit {circuit:3}, table {table:3}, plain {plain:3}");
        let as_documented = if of_circuit { circuit > 5 } else { circuit == 0 };
        assert!(table > 5 && table == plain && as_documented, "{option}: {circuit}, {table}, {plain}");
    }
    println!("largest differences of circuit, table and plain over {SEEDS:?}: {:?}", taken.largest);
}

/// Sequences of which each shares a prefix with the one before, from nothing to all of it, over several chunks.
#[test]
fn sequences_that_share_prefixes_have_logits_of_their_own() {
    for seed in SEEDS {
        let (model, mut tokens) = model_of(random_config(seed), 600, seed);
        let seq = tokens.ncols();
        for list in 1..tokens.nrows() {
            let shared = (list * 7 + list / 5) % (seq + 1);
            let before = tokens.slice(s![list - 1, ..shared]).to_owned();
            tokens.slice_mut(s![list, ..shared]).assign(&before);
        }
        let single: Model<f32> = model.cast();
        for positions in [&[0, seq - 1][..], &[seq / 2], &[seq - 1, 0]] {
            let expected = Plain::<f64>::new().logits(&model, tokens.view(), positions).unwrap();
            for backend in Backend::ALL.into_iter().filter(|backend| backend.check(model.config()).is_ok()) {
                let found = backend.engine(Vectors::best()).logits(&single, tokens.view(), positions).unwrap();
                let off = off(found.mapv(f64::from).as_slice().unwrap(), expected.as_slice().unwrap());
                assert!(off < 1e-5, "seed {seed}, {backend} at {positions:?}: off by {off}: {:?}", model.config());
            }
        }
    }
}

/// The losses of some steps of Adam on one batch.
fn losses(engine: &dyn Engine, mut model: Model<f32>, batch: Batch) -> Vec<f64> {
    let mut adam = Adam::new(&Recipe::default(), model.params.values().len());
    let mut gradients = Params::like(model.params.layout().clone());
    let mut step = || {
        let score = engine.loss_and_gradients(&model, batch, &mut gradients).unwrap();
        adam.step(0.01, model.params.values_mut(), gradients.values());
        score.loss()
    };
    (0..8).map(|_| step()).collect()
}

#[test]
fn every_backend_learns_as_the_plain_one() {
    for seed in SEEDS.step_by(20) {
        for config in [random_config(seed), circuit_config(seed)] {
            let (model, tokens) = model_of(config, MANY_LISTS, seed);
            let (model, config): (Model<f32>, _) = (model.cast(), model.config());
            let positions = [0, tokens.ncols() - 1];
            let targets = tokens.map(|token| token % config.d_vocab_out as Token);
            let targets = targets.select(Axis(1), &positions);
            let batch = Batch { tokens: tokens.view(), positions: &positions, targets: targets.view().into() };
            let expected = losses(&Plain::new(), model.clone(), batch);
            assert!(expected[7] < expected[0], "seed {seed}: {expected:?}");
            for backend in Backend::ALL.into_iter().filter(|backend| backend.check(config).is_ok()) {
                let found = losses(&*backend.engine(Vectors::best()), model.clone(), batch);
                let off = off(&found, &expected);
                assert!(off < 1e-4, "seed {seed}, {backend}: {found:?} instead of {expected:?}: {config:?}");
            }
        }
    }
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
